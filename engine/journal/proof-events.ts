/** What stands in one record by itself: of events as JSON everything, of a statement's what is not a reference to an earlier record of its segment. */
import { CLEARED, DECIDED, ITEM, OUTCOMES, RECORD_HEADER_BYTES } from './format.ts';

/** `type`, and what else the bytes say; definitions that stand in the record are told as values. */
export type ProvenEvent = Readonly<Record<string, unknown>> & { readonly type: string };

/** @throws Error when the bytes are not of the format */
export function eventsIn(body: Buffer): readonly ProvenEvent[] {
  const cursor = new Cursor(body, RECORD_HEADER_BYTES);
  const events: ProvenEvent[] = [];
  let statement: { readonly statement_id: string } | null = null;
  let sessionSeq = 0;
  while (cursor.left) {
    const item = cursor.byte();
    if (item >= ITEM.received) events.push({ ...statementEvent(item, cursor), ...statement, session_seq: sessionSeq++ });
    else if (item === ITEM.statement) {
      cursor.number();
      sessionSeq = cursor.number();
      statement = { statement_id: cursor.string() };
    } else if (item === ITEM.json) {
      cursor.number();
      events.push(JSON.parse(cursor.string()) as ProvenEvent);
    } else if (item === ITEM.definePayload) payloadDefinition(cursor);
    else if (item === ITEM.defineJson || item === ITEM.stream) cursor.string();
    else throw new Error(`item ${item} is unknown`);
  }
  return events;
}

function payloadDefinition(cursor: Cursor): void {
  cursor.skip(32);
  cursor.number();
  const redacted = cursor.byte() === 1;
  cursor.skip(redacted ? 33 : 1);
}

function statementEvent(item: number, cursor: Cursor): ProvenEvent {
  cursor.number();
  switch (item) {
    case ITEM.received:
      cursor.numbers(5);
      return { type: 'statement.received' };
    case ITEM.decided: {
      const decisionId = cursor.string();
      cursor.numbers(3);
      cursor.skip(40);
      cursor.number();
      if (cursor.byte() & DECIDED.rewritten) cursor.number();
      return { type: 'statement.decided', decision_id: decisionId };
    }
    case ITEM.refused:
      cursor.numbers(3);
      return { type: 'statement.refused' };
    case ITEM.cleared: {
      cursor.numbers(2);
      const flags = cursor.byte();
      if (flags & CLEARED.params) cursor.number();
      if (flags & CLEARED.approval) cursor.number();
      if (!(flags & CLEARED.ownBinding)) cursor.skip(72);
      return { type: 'statement.cleared', approved: (flags & CLEARED.approval) !== 0 };
    }
    case ITEM.finished: {
      const outcome = OUTCOMES[cursor.byte()] ?? 'unknown';
      const rows = cursor.number();
      const bytes = cursor.number();
      cursor.numbers(4);
      if (cursor.byte() !== 0) cursor.skip(32);
      return { type: 'statement.finished', outcome, bytes, ...(rows === 0 ? {} : { rows: rows - 1 }) };
    }
    default:
      throw new Error(`item ${item} is unknown`);
  }
}

class Cursor {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get left(): boolean {
    return this.#at < this.#bytes.length;
  }

  skip(length: number): number {
    const from = this.#at;
    if (from + length > this.#bytes.length) throw new Error('the body ends within an item');
    this.#at = from + length;
    return from;
  }

  byte(): number {
    return this.#bytes[this.skip(1)] as number;
  }

  number(): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
    }
    throw new Error('a number is too long');
  }

  numbers(count: number): void {
    for (let index = 0; index < count; index++) this.number();
  }

  string(): string {
    const length = this.number();
    const at = this.skip(length);
    return this.#bytes.toString('utf8', at, at + length);
  }
}
