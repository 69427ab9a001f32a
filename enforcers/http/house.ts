/** What all requests to one target share. */
import type { EnforcerDeps } from '#enforcers/common/enforcer';
import type { OpenAnswering } from './answer.ts';
import type { Place } from '#enforcers/common/service/place';
import type { HttpTarget } from './target.ts';
import type { Tokens } from '#enforcers/common/service/tokens';

export interface House {
  readonly deps: EnforcerDeps;
  readonly target: HttpTarget;
  readonly limits: HttpTarget['limits'];
  readonly enforcerId: string;
  readonly place: Place;
  readonly tokens: Tokens;
  readonly answering: OpenAnswering;
  readonly supported: readonly string[];
  readonly draining: boolean;
}

/** Whom a request came from. */
export interface Peer {
  readonly address: string;
  readonly tls: boolean;
}
