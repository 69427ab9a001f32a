/** `/healthz`, `/readyz`, `/metrics`: the same on the API and on a listener of its own. No token is needed for the first two, and they say no secret. */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Problem } from '#schemas/enforcer-report';
import type { Clock } from '#client/clock';
import { LIMITS } from './limits.ts';
import type { Meter } from './metrics/meter.ts';
import { metricsText, type MetricsText } from './metrics/text.ts';
import type { MetricsAccess } from './parts.ts';

/** What of a request counts here. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly remoteAddress: string | undefined;
}

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

export interface AnswersFrom {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly access: () => MetricsAccess;
  readonly alive: () => boolean;
  readonly problems: () => readonly Problem[];
}

const JSON_TYPE = 'application/json';

export class Answers {
  readonly #from: AnswersFrom;
  readonly #texts = new Map<string, { readonly atUs: number; readonly made: MetricsText }>();

  constructor(from: AnswersFrom) {
    this.#from = from;
  }

  /** null: not of ours. */
  answer(asked: Asked): Answer | null {
    if (asked.method !== 'GET' && asked.method !== 'HEAD') return null;
    switch (asked.path) {
      case '/healthz':
        return this.#health();
      case '/readyz':
        return this.#ready();
      case '/metrics':
        return this.#metrics(asked);
      default:
        return null;
    }
  }

  /** Alive: whoever restarts what is not, may. */
  #health(): Answer {
    const ok = this.#from.alive();
    return document(ok ? 200 : 503, { ok });
  }

  #ready(): Answer {
    const problems = this.#from.problems();
    const ready = !problems.some(({ serious }) => serious);
    return document(ready ? 200 : 503, { ready, problems });
  }

  #metrics(asked: Asked): Answer {
    const access = this.#from.access();
    if (!mayRead(asked, access)) {
      const code = access.readers === 'token' ? 'AUTH_FAILED' : 'ROUTE_NOT_FOUND';
      const message = access.readers === 'token' ? 'the token was not accepted' : 'there is no such route';
      return document(access.readers === 'token' ? 401 : 404, { error: { code, message } });
    }
    const { type, text } = this.#text(one(asked.headers['accept']));
    return { status: 200, type, text };
  }

  #text(accept: string | undefined): MetricsText {
    const { clock, meter } = this.#from;
    const form = metricsText([], accept).type;
    const nowUs = clock.monotonicUs();
    const last = this.#texts.get(form);
    if (last !== undefined && nowUs - last.atUs < LIMITS.metricsEveryMs * 1000) return last.made;
    const made = metricsText(meter.collect(), accept);
    this.#texts.set(form, { atUs: nowUs, made });
    return made;
  }
}

function document(status: number, value: unknown): Answer {
  return { status, type: JSON_TYPE, text: `${JSON.stringify(value)}\n` };
}

/** With these, a proxy on this machine asks for somebody else. */
const FORWARDED = ['forwarded', 'x-forwarded-for', 'x-forwarded-host', 'x-real-ip', 'via'] as const;

function mayRead({ headers, remoteAddress }: Asked, { readers, token }: MetricsAccess): boolean {
  switch (readers) {
    case 'anybody':
      return true;
    case 'nobody':
      return false;
    case 'loopback':
      return isLoopback(remoteAddress) && FORWARDED.every((name) => headers[name] === undefined);
    case 'token': {
      const given = /^Bearer (.+)$/i.exec(one(headers['authorization']) ?? '')?.[1];
      return token !== null && given !== undefined && timingSafeEqual(sha256(given), sha256(token));
    }
  }
}

function isLoopback(address: string | undefined): boolean {
  return address !== undefined && /^(::ffff:)?127(\.\d{1,3}){3}$|^::1$/.test(address);
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function one(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}
