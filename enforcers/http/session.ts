/** One principal at one address: a session of HTTP, which outlives its connections, and has the connections to the target for itself. */
import type { Payload } from '#client/journal';
import type { Scene } from '#enforcers/common/asked';
import type { Leased } from '#enforcers/common/leased';
import type { Refusal } from '#enforcers/common/refusal';
import type { Client, Subject } from '#schemas/decision-request';
import { HTTP_LIMITS } from './limits.ts';
import type { Pool } from './pool.ts';

export type CloseReason = 'client' | 'policy' | 'terminated' | 'drain' | 'fault';

/** What a session sees of a request that is under way. */
export interface Running {
  readonly approvalId: string | null;
  /** The session ends: it is refused if it did not leave yet, and broken off if it did. */
  stop(why: Refusal): void;
}

export interface SessionParts {
  readonly scene: Omit<Scene, 'voice' | 'examiner' | 'objects' | 'approvalRules' | 'asksOnly'>;
  readonly client: Client;
  readonly subject: Subject;
  readonly openedAt: string;
  readonly expiresAtMs: number;
  readonly lease: Leased;
  readonly pool: Pool;
  readonly closed: (session: HttpSession, reason: CloseReason) => void;
}

export class HttpSession {
  readonly parts: SessionParts;
  readonly #running = new Set<Running>();
  readonly #texts = new Map<string, Payload>();
  /** Monotonic, milliseconds: when it last had something to do. */
  lastMs: number;
  statements = 0;
  bytesIn = 0;
  bytesOut = 0;
  ended: Refusal | null = null;

  constructor(parts: SessionParts, nowMs: number) {
    this.parts = parts;
    this.lastMs = nowMs;
  }

  get id(): string {
    return this.parts.scene.sessionId;
  }

  get state(): 'idle' | 'active' | 'held' {
    if (this.approvalId !== null) return 'held';
    return this.#running.size > 0 ? 'active' : 'idle';
  }

  get approvalId(): string | null {
    for (const { approvalId } of this.#running) if (approvalId !== null) return approvalId;
    return null;
  }

  get running(): number {
    return this.#running.size;
  }

  began(running: Running): void {
    this.#running.add(running);
    this.statements++;
  }

  over(running: Running, nowMs: number): void {
    this.#running.delete(running);
    this.lastMs = nowMs;
  }

  /** A head, one character a byte, and what follows it. The same object for the same bytes, where they are short: the journal stores them once. */
  payload(head: string, body: Buffer): Payload {
    if (head.length + body.length > HTTP_LIMITS.sharedTextBytes) return { bytes: Buffer.concat([Buffer.from(head, 'latin1'), body]), media: 'text' };
    const key = body.length === 0 ? head : head + body.toString('latin1');
    const known = this.#texts.get(key);
    if (known !== undefined) return known;
    if (this.#texts.size >= HTTP_LIMITS.sharedTexts) this.#texts.delete(this.#texts.keys().next().value as string);
    const payload: Payload = { bytes: Buffer.from(key, 'latin1'), media: 'text' };
    this.#texts.set(key, payload);
    return payload;
  }

  /** What waits for a verdict is let go; the request for it stays open. */
  endHeld(why: (approvalId: string) => Refusal): void {
    for (const running of this.#running) if (running.approvalId !== null) running.stop(why(running.approvalId));
  }

  end(reason: CloseReason, why: Refusal): void {
    if (this.ended !== null) return;
    this.ended = why;
    for (const running of this.#running) running.stop(why);
    this.parts.pool.close();
    this.parts.lease.over();
    this.parts.scene.decisions.close();
    this.parts.closed(this, reason);
  }
}
