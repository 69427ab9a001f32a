/** Who asks for a token: an agent, by its own key (`private_key_jwt`). https://www.rfc-editor.org/rfc/rfc7523 §3, §2.2 */
import { decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose';
import type { Clock } from '#client/clock';
import type { AgentRecord } from '#schemas/event-agent';
import { TokenRefused } from './issuer.ts';
import { algorithmOf, keyOf } from './jwk.ts';
import { LIMITS } from './limits.ts';
import type { Registry } from './registry.ts';
import { UsedAssertions } from './replay.ts';

export interface AssertionOptions {
  readonly registry: Registry;
  /** What `aud` may say: the issuer, or its token endpoint. */
  readonly audiences: () => readonly string[];
  readonly clock: Clock;
  readonly usedMax?: number;
}

export interface Client {
  readonly name: string;
  readonly record: AgentRecord;
}

const HEADERS_REFUSED = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip', 'enc'];

export class Assertions {
  readonly #options: AssertionOptions;
  readonly #used: UsedAssertions;
  /** What was signed before this process began may have been used then: nobody here remembers. */
  readonly #beganMs: number;

  constructor(options: AssertionOptions) {
    this.#options = options;
    this.#used = new UsedAssertions(options.usedMax);
    this.#beganMs = options.clock.wallUs() / 1000;
  }

  /** @param clientId as the request says it; null: it does not. @throws TokenRefused, or what jose throws */
  async verify(assertion: string, clientId: string | null): Promise<Client> {
    const { registry, audiences, clock } = this.#options;
    const name = nameIn(assertion, clientId);
    const record = registry.get(name)?.record;
    if (!record) throw new TokenRefused('client');
    const nowMs = clock.wallUs() / 1000;
    const { payload } = await jwtVerify(assertion, await keyOf(record.key), {
      issuer: name,
      subject: name,
      audience: [...audiences()],
      algorithms: [algorithmOf(record.key)],
      requiredClaims: ['iss', 'sub', 'aud', 'exp', 'iat', 'jti'],
      maxTokenAge: LIMITS.assertionMs / 1000,
      clockTolerance: LIMITS.toleranceMs / 1000,
      currentDate: new Date(nowMs),
    });
    const { jti, iat = 0, exp = 0 } = payload;
    if (typeof jti !== 'string' || jti.length > LIMITS.jtiChars) throw new TokenRefused('jti');
    if ((exp - iat) * 1000 > LIMITS.assertionMs) throw new TokenRefused('exp');
    if ((iat + 1) * 1000 <= this.#beganMs) throw new TokenRefused('iat');
    // its expiry may be a part of a second, and is compared with whole ones
    const untilMs = (Math.ceil(exp) + 1) * 1000 + LIMITS.toleranceMs;
    const fate = this.#used.use(`${name} ${jti}`, untilMs, nowMs);
    if (fate !== 'fresh') throw new TokenRefused(fate === 'used' ? 'replay' : 'memory');
    return { name, record };
  }
}

/** Whom it claims to be of, before anything of it is believed. */
function nameIn(assertion: string, clientId: string | null): string {
  if (assertion.length > LIMITS.tokenChars || assertion.split('.', 6).length !== 3) throw new TokenRefused('form');
  const header = decodeProtectedHeader(assertion);
  const odd = HEADERS_REFUSED.find((name) => name in header);
  if (odd !== undefined) throw new TokenRefused(odd);
  const { sub } = decodeJwt(assertion);
  if (typeof sub !== 'string' || (clientId !== null && clientId !== sub)) throw new TokenRefused('sub');
  return sub;
}
