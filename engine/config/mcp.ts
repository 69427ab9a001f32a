/** Section `mcp` of a target, resolved. */
import type { McpSection } from '#schemas/config-mcp';
import type { ArgumentKind } from '#schemas/knowledge';
import type { Absolute } from './secret-source.ts';
import { resolveServiceCredential, type ServiceCredentialConfig } from './service.ts';
import { durationMs } from './units.ts';

export interface McpTargetConfig {
  readonly server:
    | { readonly kind: 'http'; readonly url: string /** null: the system's roots */; readonly caFile: string | null }
    | { readonly kind: 'stdio'; readonly command: readonly string[]; readonly cwd: string; readonly env: Readonly<Record<string, string>> };
  /** null: none. */
  readonly credential: ServiceCredentialConfig | null;
  readonly pinsFile: string;
  readonly arguments: Readonly<Record<string, readonly ArgumentKind[]>>;
  readonly origins: readonly string[];
  readonly hosts: readonly string[];
  readonly fromServer: { readonly sampling: boolean; readonly elicitation: boolean; readonly roots: boolean; readonly logging: boolean };
  readonly pollMs: number;
}

/** @param where what stands in for what is not said: where the pins are, and where `command` starts */
export function resolveMcp(section: McpSection, absolute: Absolute, where: { readonly pinsFile: string; readonly dir: string }): McpTargetConfig {
  const { url, ca, command, cwd, env = {}, credential, pins, origins = [], hosts = [], from_server: from = {}, poll = '20s' } = section;
  return {
    server:
      command === undefined
        ? { kind: 'http', url: url ?? '', caFile: ca === undefined ? null : absolute(ca) }
        : { kind: 'stdio', command, cwd: cwd === undefined ? where.dir : absolute(cwd), env },
    credential: resolveServiceCredential(credential, absolute),
    pinsFile: pins === undefined ? where.pinsFile : absolute(pins),
    arguments: Object.fromEntries(
      Object.entries(section.arguments ?? {}).map(([tool, by]) => [
        tool,
        Object.entries(by).map(([argument, kind]) => argumentKind(argument, kind, absolute)),
      ]),
    ),
    origins,
    hosts,
    fromServer: {
      sampling: from.sampling ?? false,
      elicitation: from.elicitation ?? false,
      roots: from.roots ?? false,
      logging: from.logging ?? false,
    },
    pollMs: durationMs(poll),
  };
}

function argumentKind(
  argument: string,
  { seen_at, ...kind }: NonNullable<McpSection['arguments']>[string][string],
  absolute: Absolute,
): ArgumentKind {
  return { argument, ...kind, ...(seen_at === undefined ? {} : { seen_at: absolute(seen_at) }) };
}
