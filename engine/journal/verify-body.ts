/** A record's body as the verifier reads it: who, which statement, what kind of event; not every field. */
import { FORMS, ITEM, CLEARED, DECIDED, MEDIA, OUTCOMES } from './format.ts';

export interface SeenEvent {
  readonly type: string;
  readonly sessionId?: string | undefined;
  readonly sessionSeq?: number | undefined;
  readonly statementId?: string | undefined;
  /** The whole of an event that stands as JSON; of a clearance its approval, of a decision its effect. */
  readonly fields: Readonly<Record<string, unknown>>;
}
export interface SeenRecord {
  readonly seq: number;
  readonly time: string;
  readonly events: readonly SeenEvent[];
  /** Digests that it defines and whose bytes do not stand in the segment. */
  readonly missing: readonly string[];
}

type Kind = 'json' | 'payload';

/** The bodies of one segment, in order: later ones refer to what earlier ones define. */
export class SegmentBodies {
  readonly #defined: { kind: Kind; value: unknown }[] = [];
  readonly #payloads = new Set<string>();

  payloadStands(digest: string): void {
    this.#payloads.add(digest);
  }

  /** @throws Error when the bytes are not of the format. */
  read(body: Buffer): SeenRecord {
    const cursor = new Cursor(body);
    cursor.take(4);
    const seq = cursor.fixed();
    const wallUs = cursor.fixed();
    cursor.fixed();
    const events: SeenEvent[] = [];
    const missing: string[] = [];
    let head: { sessionId: string; statementId: string; seq: number } | null = null;
    while (cursor.left) {
      const item = cursor.byte();
      if (item === ITEM.defineJson) this.#defined.push({ kind: 'json', value: JSON.parse(cursor.string()) as unknown });
      else if (item === ITEM.definePayload) this.#payloadDefinition(cursor, missing);
      else if (item === ITEM.stream) cursor.string();
      else if (item === ITEM.json) events.push(jsonEvent(cursor));
      else if (item === ITEM.statement) {
        const session = this.#value('json', cursor.number()) as { session_id: string };
        head = { sessionId: session.session_id, seq: cursor.number(), statementId: cursor.string() };
      } else {
        if (head === null) throw new Error('an event of a statement before the statement');
        cursor.number();
        events.push({ ...this.#statementEvent(item, cursor), sessionId: head.sessionId, sessionSeq: head.seq++, statementId: head.statementId });
      }
    }
    return {
      seq,
      time: new Date(Math.floor(wallUs / 1000)).toISOString().replace('Z', `${String(wallUs % 1000).padStart(3, '0')}Z`),
      events,
      missing,
    };
  }

  #payloadDefinition(cursor: Cursor, missing: string[]): void {
    const digest = cursor.take(32).toString('hex');
    cursor.number();
    const form = FORMS[cursor.byte()];
    if (form === undefined || MEDIA[cursor.byte()] === undefined) throw new Error('a payload of unknown form or kind');
    const stands = form === 'redacted' ? cursor.take(32).toString('hex') : digest;
    if ((form === 'clear' || form === 'redacted') && !this.#payloads.has(stands)) missing.push(digest);
    this.#defined.push({ kind: 'payload', value: digest });
  }

  #statementEvent(item: number, cursor: Cursor): Pick<SeenEvent, 'type' | 'fields'> {
    switch (item) {
      case ITEM.received:
        this.#refer(cursor, 'json', 'json', 'payload');
        this.#referOptional(cursor, 'payload', 'json');
        return { type: 'statement.received', fields: {} };
      case ITEM.decided:
        return this.#decided(cursor);
      case ITEM.refused:
        this.#refer(cursor, 'json', 'json');
        this.#referOptional(cursor, 'json');
        return { type: 'statement.refused', fields: {} };
      case ITEM.cleared:
        return this.#cleared(cursor);
      case ITEM.finished:
        return this.#finished(cursor);
      default:
        throw new Error(`item ${item} is unknown`);
    }
  }

  #decided(cursor: Cursor): Pick<SeenEvent, 'type' | 'fields'> {
    cursor.string();
    this.#refer(cursor, 'payload');
    const { effect } = this.#value('json', cursor.number()) as { effect: unknown };
    this.#refer(cursor, 'payload');
    cursor.take(32 + 8);
    cursor.number();
    if (cursor.byte() & DECIDED.rewritten) this.#refer(cursor, 'json');
    return { type: 'statement.decided', fields: { effect } };
  }

  #cleared(cursor: Cursor): Pick<SeenEvent, 'type' | 'fields'> {
    this.#refer(cursor, 'payload', 'json');
    const flags = cursor.byte();
    if (flags & CLEARED.params) this.#refer(cursor, 'payload');
    const approval = flags & CLEARED.approval ? { approval: this.#value('json', cursor.number()) } : {};
    if (!(flags & CLEARED.ownBinding)) cursor.take(32 + 32 + 8);
    return { type: 'statement.cleared', fields: approval };
  }

  #finished(cursor: Cursor): Pick<SeenEvent, 'type' | 'fields'> {
    const outcome = OUTCOMES[cursor.byte()];
    if (outcome === undefined) throw new Error('an unknown outcome');
    for (let number = 0; number < 3; number++) cursor.number();
    this.#referOptional(cursor, 'json', 'json', 'json');
    if (cursor.byte() !== 0) cursor.take(32);
    return { type: 'statement.finished', fields: { outcome } };
  }

  #refer(cursor: Cursor, ...kinds: Kind[]): void {
    for (const kind of kinds) this.#value(kind, cursor.number());
  }

  #referOptional(cursor: Cursor, ...kinds: Kind[]): void {
    for (const kind of kinds) {
      const plusOne = cursor.number();
      if (plusOne > 0) this.#value(kind, plusOne - 1);
    }
  }

  #value(kind: Kind, id: number): unknown {
    const found = this.#defined[id];
    if (found?.kind !== kind) throw new Error(`definition ${id} is no ${kind}`);
    return found.value;
  }
}

function jsonEvent(cursor: Cursor): SeenEvent {
  cursor.number();
  const fields = JSON.parse(cursor.string()) as Record<string, unknown>;
  const text = (name: string): string | undefined => (typeof fields[name] === 'string' ? fields[name] : undefined);
  const sessionSeq = typeof fields['session_seq'] === 'number' ? fields['session_seq'] : undefined;
  return { type: text('type') ?? '', sessionId: text('session_id'), sessionSeq, statementId: text('statement_id'), fields };
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): boolean {
    return this.#at < this.#bytes.length;
  }

  take(bytes: number): Buffer {
    const end = this.#at + bytes;
    if (end > this.#bytes.length) throw new Error('the body ends within an item');
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  fixed(): number {
    return Number(this.take(8).readBigUInt64LE());
  }

  number(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number(value);
      if (shift > 49n) throw new Error('a number is too long');
    }
  }

  string(): string {
    return this.take(this.number()).toString();
  }
}
