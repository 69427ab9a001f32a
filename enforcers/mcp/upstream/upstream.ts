/** A server, as one target has it: its place and the tokens it takes, shared by the links of all sessions; each link is one session's. */
import type { Clock } from '#client/clock';
import type { Lease } from '#client/credentials';
import type { Log } from '#client/log';
import { Place } from '#enforcers/common/service/place';
import { Tokens } from '#enforcers/common/service/tokens';
import type { McpUpstream } from '../target.ts';
import { environmentOf, signerOf } from '../credential.ts';
import { openHttpLink } from './http.ts';
import type { Introduction, Link } from './link.ts';
import { openProcessLink } from './stdio.ts';

export interface UpstreamParts {
  readonly target: string;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Upstream {
  /** Rejects TARGET_UNREACHABLE, ANSWER_REFUSED, CREDENTIAL_UNAVAILABLE. */
  open(lease: Lease, who: Introduction): Promise<Link>;
}

/** @throws InterlockError CONFIG_INVALID: no address of HTTP */
export function upstreamOf(server: McpUpstream, { target, clock, log }: UpstreamParts): Upstream {
  if (server.kind === 'stdio') {
    const { command, cwd, env } = server;
    return { open: async (lease, who) => await openProcessLink({ command, cwd, env: { ...env, ...environmentOf(lease) }, log }, who) };
  }
  const nowMs = (): number => clock.monotonicUs() / 1000;
  const { url, ca } = server;
  const place = new Place({ upstream: { url: new URL(url).origin, ...(ca === undefined ? {} : { ca }) }, target, nowMs });
  const tokens = new Tokens({ target, ca, nowMs });
  return { open: async (lease, who) => await openHttpLink({ url, place, signer: signerOf(lease, tokens, clock) }, who) };
}
