/** What is known of an MCP request. The same frame as all facts: total, and what is missing is named in `opaque`. */
import type { Static } from 'typebox';
import { HttpFacts } from './http-facts.ts';
import { Effect, Opaque, SqlFacts } from './sql-facts.ts';

const Texts = { type: 'array', items: { type: 'string' } } as const;

/** A path-typed argument, resolved on its text alone: links are the upstream's business, so its root must hold none. */
export const PathFacts = {
  type: 'object',
  additionalProperties: false,
  required: ['given', 'canonical', 'segments', 'inside'],
  properties: {
    given: { type: 'string' },
    /** Absolute, without `.`, `..` and doubled slashes. */
    canonical: { type: 'string' },
    segments: Texts,
    /** Below the root that the argument is bound to. */
    inside: { type: 'boolean' },
  },
} as const;
export type PathFacts = Static<typeof PathFacts>;

/** An argument that another engine understands: its own facts. */
export const ArgumentFacts = {
  type: 'object',
  additionalProperties: false,
  required: ['argument', 'as', 'parsed'],
  properties: {
    /** `$.sql` */
    argument: { type: 'string' },
    as: { enum: ['sql', 'url', 'path', 'shell'] },
    /** false: `opaque` of the call says why. */
    parsed: { type: 'boolean' },
    /** The target by whose grammar and catalog a text was read. */
    target: { type: 'string' },
    sql: SqlFacts,
    url: HttpFacts,
    path: PathFacts,
  },
} as const;
export type ArgumentFacts = Static<typeof ArgumentFacts>;

export const McpFacts = {
  type: 'object',
  additionalProperties: false,
  required: ['dialect', 'parsed', 'method', 'tool', 'uri', 'prompt', 'arguments', 'keys', 'nested', 'effects', 'opaque'],
  properties: {
    dialect: { const: 'mcp' },
    parsed: { type: 'boolean' },
    /** `tools/call`, `resources/read`, `prompts/get` … */
    method: { type: 'string' },
    /** null: not a call of a tool. */
    tool: {
      anyOf: [
        {
          type: 'object',
          additionalProperties: false,
          required: ['name', 'known', 'digest'],
          properties: {
            name: { type: 'string' },
            /** Its definition is pinned, and the upstream still gives the same one. */
            known: { type: 'boolean' },
            /** Of the pinned definition; empty where there is none. */
            digest: { type: 'string' },
          },
        },
        { type: 'null' },
      ],
    },
    /** Of resources/read. */
    uri: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    /** Of prompts/get. */
    prompt: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    arguments: { type: 'object', additionalProperties: {} },
    /** Every key at every depth in lower case, once each. */
    keys: Texts,
    nested: { type: 'array', items: ArgumentFacts },
    /** Of the call itself, and all of its arguments'. */
    effects: { type: 'array', items: Effect },
    opaque: { type: 'array', items: Opaque },
  },
} as const;
export type McpFacts = Static<typeof McpFacts>;
