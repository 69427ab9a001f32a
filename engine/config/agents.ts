/** Section `agents`, with its defaults. */
import type { Agents } from '#schemas/config-agents';
import { durationMs } from './units.ts';

export interface AgentsConfig {
  readonly tokenTtlMs: number;
  readonly humanMaxAgeMs: number;
  readonly selfService: boolean;
  /** null: none. */
  readonly coolDown: CoolDownConfig | null;
  readonly workloads: readonly WorkloadConfig[];
}

export interface CoolDownConfig {
  readonly denials: number;
  readonly withinMs: number;
  readonly forMs: number;
}

export interface WorkloadConfig {
  readonly url: string;
  readonly audience: string;
  readonly jwksUrl: string | null;
  readonly caFile: string | null;
  readonly algorithms: readonly string[];
  readonly maxAgeMs: number;
  /** Agents by subject. */
  readonly bind: ReadonlyMap<string, string>;
}

export const TOKEN_TTL_MS = { min: 60_000, max: 3_600_000 } as const;

export function resolveAgents(raw: Agents | undefined, absolute: (path: string) => string): AgentsConfig {
  const { token_ttl = '15m', human_max_age = '7d', self_service = true, cool_down = {}, workloads = [] } = raw ?? {};
  return {
    tokenTtlMs: Math.min(TOKEN_TTL_MS.max, Math.max(TOKEN_TTL_MS.min, durationMs(token_ttl))),
    humanMaxAgeMs: durationMs(human_max_age),
    selfService: self_service,
    coolDown:
      cool_down === 'off'
        ? null
        : { denials: cool_down.denials ?? 10, withinMs: durationMs(cool_down.within ?? '1m'), forMs: durationMs(cool_down.for ?? '2m') },
    workloads: workloads.map(({ url, audience, jwks_url, ca, algorithms = ['RS256', 'ES256'], max_age = '1h', bind }) => ({
      url,
      audience,
      jwksUrl: jwks_url ?? null,
      caFile: ca === undefined ? null : absolute(ca),
      algorithms,
      maxAgeMs: durationMs(max_age),
      bind: new Map(bind.map(({ subject, agent }) => [subject, agent])),
    })),
  };
}
