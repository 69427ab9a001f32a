/** Section `mcp` of a target whose protocol is `mcp`. */
import type { Static } from 'typebox';
import { ServiceCredential } from './config-service.ts';
import { Duration, HttpUrl, Path, Text } from './config-values.ts';

export const McpArgument = {
  type: 'object',
  additionalProperties: false,
  required: ['as'],
  title: 'a map with `as`',
  properties: {
    as: { enum: ['sql', 'url', 'path', 'shell'], description: 'What judges it: the facts of that language stand in `input.mcp.nested`.' },
    target: { ...Text, description: 'Of `sql`: the target by whose grammar and catalog it is read. Default: PostgreSQL, names only.' },
    root: { type: 'string', pattern: '^/', title: 'an absolute path', description: 'Of `path`: what it must stay below. Default: /.' },
    seen_at: {
      ...Path,
      description:
        'Of `path`: where the gateway sees the folder `root` of a server elsewhere (a shared volume). Links below it are followed before a call, and must stay below it. Default: `root` itself for `command`; for `url` nothing is looked at, and the root must hold no links.',
    },
  },
} as const;

export const McpSection = {
  type: 'object',
  additionalProperties: false,
  title: 'a map with `url` or `command`',
  description: 'An MCP server: `url` of its endpoint (streamable HTTP), or `command` (a process of the gateway’s, over stdio).',
  properties: {
    url: { ...HttpUrl, description: 'Its endpoint; https, or http on loopback.' },
    ca: { ...Path, description: 'Authority that its certificate is checked with. Default: the system’s roots.' },
    command: {
      type: 'array',
      minItems: 1,
      items: { type: 'string' },
      title: 'a list: the program and its arguments',
      description: 'Started without a shell, once for each session, with nothing of the gateway’s environment but `env`.',
    },
    cwd: { ...Path, description: 'Working folder of `command`. Default: the folder of this file.' },
    env: { type: 'object', additionalProperties: Text, title: 'a map from names to texts', description: 'Environment of `command`. No secrets.' },
    credential: ServiceCredential,
    pins: {
      ...Path,
      description: 'The pinned definitions of its tools, as `interlock mcp pin` writes them. Default: mcp/TARGET/tools.lock.json in `state.dir`.',
    },
    arguments: {
      type: 'object',
      additionalProperties: {
        type: 'object',
        additionalProperties: McpArgument,
        propertyNames: { pattern: '^\\$(\\.[A-Za-z0-9_-]+)+$', title: 'a path such as `$.sql`' },
        title: 'a map from paths such as `$.sql` to how they are understood',
      },
      title: 'a map from tools to arguments',
      description: 'How arguments of tools are understood: `{ run_sql: { $.sql: { as: sql, target: shop } } }`.',
    },
    origins: {
      type: 'array',
      items: { type: 'string', pattern: '^https?://[^/\\s]+$', title: 'an origin such as `https://app.example.com`' },
      title: 'a list of origins',
      description: 'Web pages that may connect. Default: none; clients that are no browsers send no origin.',
    },
    hosts: {
      type: 'array',
      items: { type: 'string', pattern: '^[A-Za-z0-9._:\\[\\]-]+$', title: 'a host, with its port where it is not the default' },
      title: 'a list of hosts',
      description: 'Names that clients reach this endpoint by, beside those of `listen` and `api.public_url` (DNS rebinding).',
    },
    from_server: {
      type: 'object',
      additionalProperties: false,
      description: 'What the server may ask of clients. Default: nothing.',
      properties: {
        sampling: { type: 'boolean', description: 'Let the client’s model answer (sampling/createMessage).' },
        elicitation: { type: 'boolean', description: 'Ask the human at the client (elicitation/create).' },
        roots: { type: 'boolean', description: 'Read the client’s list of folders (roots/list).' },
        logging: { type: 'boolean', description: 'Send log messages, which no mask sees; never on a call that is masked.' },
      },
    },
    poll: { ...Duration, description: 'How long a client that waits for an approval is kept waiting at a time. Default: 20s.' },
  },
} as const;
export type McpSection = Static<typeof McpSection>;
