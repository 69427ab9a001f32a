/**
 * Statements of outside enforcement points stand in the record like all others: in a session, here of one enforcement point, one subject and
 * one target, that ends when nothing was asked for a while.
 */
import type { Clock } from '#client/clock';
import type { Client, Resource, Subject } from '#schemas/decision-request';
import { canonical } from './canonical.ts';
import { AUTHZEN_LIMITS } from './limits.ts';
import type { AuthzenParts } from './parts.ts';

interface Open {
  readonly id: string;
  readonly target: string;
  statements: number;
  bytes: number;
  lastUs: number;
}

export class OutsideSessions {
  readonly #parts: Pick<AuthzenParts, 'journal' | 'ids' | 'judge'>;
  readonly #clock: Clock;
  /** The one that was not used for longest comes first. */
  readonly #open = new Map<string, Open>();

  constructor(parts: Pick<AuthzenParts, 'journal' | 'ids' | 'judge'>, clock: Clock) {
    this.#parts = parts;
    this.#clock = clock;
  }

  /** @param bytes of the statement that is asked about */
  enter(
    asked: { readonly point: string; readonly subject: Subject; readonly resource: Resource; readonly client: Client },
    revision: string,
    bytes: number,
  ): string {
    const key = canonical(asked);
    const session = this.#open.get(key) ?? this.#begin(asked, revision);
    this.#open.delete(key);
    this.#open.set(key, session);
    session.statements += 1;
    session.bytes += bytes;
    session.lastUs = this.#clock.monotonicUs();
    if (this.#open.size > AUTHZEN_LIMITS.sessions) this.#end(this.#open.keys().next().value ?? '', 'client');
    return session.id;
  }

  sweep(): void {
    const idleUs = this.#clock.monotonicUs() - AUTHZEN_LIMITS.sessionIdleMs * 1000;
    for (const [key, { lastUs }] of this.#open) if (lastUs < idleUs) this.#end(key, 'client');
  }

  closeAll(): void {
    for (const key of this.#open.keys()) this.#end(key, 'drain');
  }

  #begin({ point, subject, resource, client }: Parameters<OutsideSessions['enter']>[0], revision: string): Open {
    const id = this.#parts.ids.next('ses');
    this.#parts.journal.append({
      type: 'session.opened',
      session_id: id,
      target: resource.id,
      subject: subject.id,
      subject_detail: subject,
      resource,
      client,
      protocol: `authzen ${point}`,
      decision_id: '',
      revision,
      lease: '',
    });
    return { id, target: resource.id, statements: 0, bytes: 0, lastUs: 0 };
  }

  #end(key: string, reason: 'client' | 'drain'): void {
    const session = this.#open.get(key);
    if (!session) return;
    this.#open.delete(key);
    const { id, target, statements, bytes } = session;
    try {
      this.#parts.journal.append({ type: 'session.closed', session_id: id, target, reason, statements, bytes_in: bytes, bytes_out: 0 });
    } catch {
      // the journal is dead, and with it everything that could have been recorded
    }
  }
}
