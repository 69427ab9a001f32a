/** A target that is an MCP server, as its enforcer is told of it. */
import { readFileSync } from 'node:fs';
import { startMcpEnforcer, type McpMount } from '#enforcers/mcp/enforcer';
import { McpListeners } from '#enforcers/mcp/listener';
import type { McpTarget, McpUpstream } from '#enforcers/mcp/target';
import type { Enforcer, EnforcerDeps } from '#enforcers/common/enforcer';
import type { Resource } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import { type ArgumentKind, isCatalog, type Knowledge } from '#schemas/knowledge';
import type { LoadedConfig, TargetConfig } from './config/config.ts';
import { pem } from './located.ts';
import { type Said, withSaid } from './said.ts';

export interface McpParts {
  readonly deps: EnforcerDeps;
  readonly stateDir: string;
  readonly said: () => Said<McpTarget['approvals']>;
  /** null: there is no API in this process. */
  readonly mount: McpMount | null;
}

/** Of this process: targets of one address share its listener. */
const LISTENERS = new McpListeners();

export function startMcpTarget(target: TargetConfig, { deps, stateDir, said, mount }: McpParts): Promise<Enforcer> {
  const issuers = (): readonly string[] => [said().publicUrl];
  return startMcpEnforcer({ ...deps, target: mcpTargetOf(target, stateDir, said), listeners: LISTENERS, mount, issuers });
}

export function mcpTargetOf(target: TargetConfig, stateDir: string, said: McpParts['said']): McpTarget {
  const { name, listen, limits, mcp } = target;
  if (mcp === null) throw new InterlockError('INTERNAL', `target ${name} has no section mcp`);
  const tls = pem(target.tls);
  const described = {
    name,
    listen,
    ...(tls === null ? {} : { tls }),
    upstream: upstreamOf(mcp.server),
    limits,
    pinsFile: mcp.pinsFile,
    stateDir,
    arguments: mcp.arguments,
    origins: mcp.origins,
    hosts: mcp.hosts,
    fromServer: mcp.fromServer,
    pollMs: mcp.pollMs,
  };
  return withSaid(described, said);
}

export function upstreamOf(server: NonNullable<TargetConfig['mcp']>['server']): McpUpstream {
  if (server.kind === 'stdio') return server;
  return { kind: 'http', url: server.url, ...(server.caFile === null ? {} : { ca: readFileSync(server.caFile, 'utf8') }) };
}

/** Arguments that are statements say what their target is to policies, where this configuration knows it. */
export function withResources(target: TargetConfig, config: LoadedConfig): TargetConfig {
  if (target.mcp === null) return target;
  const args = Object.fromEntries(Object.entries(target.mcp.arguments).map(([tool, kinds]) => [tool, placed(kinds, config)]));
  return { ...target, mcp: { ...target.mcp, arguments: args } };
}

/** The same of what an enforcer elsewhere tells: it knows its own target alone, and what another is to policies is not for it to say. */
export function placedTools(knowledge: Knowledge, config: LoadedConfig): Knowledge {
  if (isCatalog(knowledge) || knowledge.kind !== 'mcp') return knowledge;
  return { ...knowledge, tools: knowledge.tools.map((tool) => ({ ...tool, arguments: placed(tool.arguments, config) })) };
}

function placed(kinds: readonly ArgumentKind[], { targets }: LoadedConfig): readonly ArgumentKind[] {
  return kinds.map(({ resource: said, ...kind }) => {
    void said;
    const named = kind.target !== undefined && Object.hasOwn(targets, kind.target) ? targets[kind.target] : undefined;
    return named?.protocol === 'postgresql' ? { ...kind, resource: resourceOf(named) } : kind;
  });
}

function resourceOf({ name, env, labels, upstream }: TargetConfig): Resource {
  const [database] = upstream.databases ?? [];
  return { type: 'postgresql', id: name, properties: { env, labels: { ...labels }, ...(database === undefined ? {} : { database }) } };
}
