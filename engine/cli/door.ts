/** How a client reaches a target, from the gateway's configuration. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { InterlockError } from '#schemas/errors';
import type { Door } from '../calls/call.ts';
import type { LoadedConfig, TargetConfig } from '../config/config.ts';
import { resolveUpstream } from '../config/upstream.ts';
import { runningDatabase, targetAddress } from './running.ts';
import { unverifiedClaims } from './token-file.ts';

/** @throws InterlockError USAGE that names those there are */
export function targetOf(config: LoadedConfig, name: string): TargetConfig {
  const target = Object.hasOwn(config.targets, name) ? config.targets[name] : undefined;
  if (target !== undefined) return target;
  throw new InterlockError('USAGE', `there is no target \`${name}\`; there are: ${Object.keys(config.targets).join(', ')}`);
}

/** For a client of our own. */
export async function doorOf(config: LoadedConfig, target: TargetConfig, host: string | undefined): Promise<Door> {
  const where = await reach(config, target, host);
  const file = await rootCert(target);
  const ca = file === null ? null : await readFile(file, 'utf8');
  return { target: target.name, ...where, tls: target.tls === null ? null : { ca, name: where.host } };
}

export async function reach(
  config: LoadedConfig,
  target: TargetConfig,
  host: string | undefined,
): Promise<{ readonly host: string; readonly port: number }> {
  const listening = await targetAddress(config, target);
  const everywhere = listening.host === '0.0.0.0' || listening.host === '::';
  const own = everywhere ? (config.api.publicUrl === null ? 'localhost' : new URL(config.api.publicUrl).hostname) : listening.host;
  return { host: host ?? own, port: listening.port };
}

export function loginOf(token: string, config: LoadedConfig): string {
  const claims = unverifiedClaims(token);
  const actor = (claims['act'] as { readonly iss?: unknown; readonly sub?: unknown } | undefined) ?? {};
  // an agent's token of this installation: it connects as itself
  if (actor.iss !== undefined && actor.iss === claims['iss'] && typeof actor.sub === 'string') return actor.sub;
  const claim = config.identity.issuers.find(({ url }) => url === claims['iss'])?.claims.login ?? 'preferred_username';
  const login = claims[claim];
  if (typeof login !== 'string') throw new InterlockError('USAGE', `the token has no claim \`${claim}\``, { hint: 'Pass --login.' });
  return login;
}

/** The running gateway knows; else a `url` reference is read for the name of its database. Where that cannot be (another machine), the client must say one. */
export async function firstDatabase(config: LoadedConfig, target: TargetConfig): Promise<string> {
  const named = target.upstream.databases?.[0];
  if (named !== undefined) return named;
  const running = await runningDatabase(config, target);
  if (running !== null) return running;
  try {
    return (await resolveUpstream(config, target)).databases[0] ?? '';
  } catch (error) {
    const why = error instanceof InterlockError ? `: ${error.message}` : '';
    throw new InterlockError('USAGE', `the database of \`${target.name}\` is not known here, and no gateway runs on ${config.file}${why}`, {
      cause: error,
      hint: `Name it: \`--database\` where the command has it, else \`targets.${target.name}.upstream.databases\`.`,
    });
  }
}

/** What to check the gateway with: the authority that the configuration names, else its own certificate where that signs itself. */
export async function rootCert({ tls }: TargetConfig): Promise<string | null> {
  if (tls === null || tls.caFile !== null) return tls?.caFile ?? null;
  try {
    const certificate = new X509Certificate(await readFile(tls.certFile));
    return certificate.checkIssued(certificate) ? tls.certFile : null;
  } catch {
    return null; // not readable here: the client's own roots decide, and refuse what they do not know
  }
}
