/** Tokens of a gateway's own issuer, as `interlock token` makes them, without a process for each; the command has tests of its own. */
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';
import { systemClock } from '#client/clock';
import { openStateDir } from '#engine/config/state';
import { durationMs } from '#engine/config/units';
import { LOCAL_ISSUER, openLocalIssuer } from '#engine/identity/local-issuer';

export interface TokenOptions {
  readonly login: string;
  readonly groups?: readonly string[];
  readonly scope?: 'connect' | 'approve';
  readonly ttl?: string;
  readonly type?: 'user' | 'service' | 'agent';
  /** On whose behalf. */
  readonly for?: string;
}

/** @param configFile names its state directory: the key is there */
export async function mint(
  configFile: string,
  { login, groups = [], scope = 'connect', ttl = '1h', type = 'user', for: owner }: TokenOptions,
): Promise<string> {
  const { state } = parse(readFileSync(configFile, 'utf8')) as { readonly state: { readonly dir: string } };
  const dir = resolve(dirname(configFile), state.dir);
  await openStateDir(dir);
  const issuer = await openLocalIssuer({ dir: join(dir, 'issuer'), ...LOCAL_ISSUER, clock: systemClock });
  const behalf = owner === undefined ? {} : { onBehalfOf: owner };
  return (await issuer.mint({ login, groups, scope, type, ttlMs: durationMs(ttl), ...behalf })).token;
}
