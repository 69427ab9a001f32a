/** A record's body → the events in it. One decoder a segment: it collects what the segment defines. The layout is FORMAT.md's. */
import type { Event, PayloadRef } from '#schemas/event';
import type { Binding, Judgement } from '#schemas/decision';
import { ByteReader } from './byte-reader.ts';
import { CLEARED, DECIDED, FORMS, ITEM, MEDIA, OUTCOMES } from './format.ts';
import type { SessionConstants } from './session-book.ts';
import { TimestampWriter } from './timestamp-writer.ts';

type Definition = { readonly json: unknown } | { readonly ref: PayloadRef; readonly media: (typeof MEDIA)[number] };

export interface DecodedRecord {
  readonly seq: number;
  /** Offset of the frame in its batch: the batch was handed to the disk as one. */
  readonly back: number;
  readonly events: readonly Event[];
  /** The stream that the record's event was placed on with compare-and-append. */
  readonly stream: string | null;
}

/** What is told apart only by writing on: fields that several events of one record share. */
interface Head {
  readonly session: SessionConstants;
  readonly statementId: string;
  seq: number;
  binding: Binding | null;
}

export class RecordDecoder {
  readonly #journal: string;
  readonly #definitions: Definition[] = [];
  readonly #times = new TimestampWriter();
  readonly #expiries = new TimestampWriter();
  /** Told where what is left of a redacted payload stands. */
  readonly #onRedacted: ((digest: string, stored: string) => void) | null;

  constructor(journal: string, onRedacted: ((digest: string, stored: string) => void) | null = null) {
    this.#journal = journal;
    this.#onRedacted = onRedacted;
  }

  get definitionCount(): number {
    return this.#definitions.length;
  }

  /** @throws Error when the bytes are not of FORMAT.md's form. */
  decode(body: Buffer, prev: string): DecodedRecord {
    const reader = new ByteReader(body);
    const back = reader.u32();
    const seq = reader.u64();
    const wallUs = reader.u64();
    const tickUs = reader.u64();
    const events: Event[] = [];
    const base = { contract: 1, journal: this.#journal, seq, prev: `sha256:${Buffer.from(prev, 'latin1').toString('hex')}` } as const;
    let head: Head | null = null;
    let stream: string | null = null;
    while (!reader.ended) {
      const kind = reader.u8();
      if (kind === ITEM.defineJson) this.#definitions.push({ json: JSON.parse(reader.text()) as unknown });
      else if (kind === ITEM.definePayload) this.#definitions.push(this.#payloadDefinition(reader));
      else if (kind === ITEM.stream) stream = reader.text();
      else if (kind === ITEM.statement) {
        const session = this.#json<SessionConstants>(reader.varint());
        head = { session, seq: reader.varint(), statementId: reader.text(), binding: null };
      } else {
        const late = reader.varint();
        const own = { ...base, index: events.length, time: this.#times.text(wallUs + late), tick_us: String(tickUs + late) };
        if (kind === ITEM.json) events.push({ ...(JSON.parse(reader.text()) as object), ...own } as Event);
        else if (head === null) throw new Error(`item ${kind} before the statement it belongs to`);
        else {
          const { session } = head;
          const common = { ...own, ...session, session_seq: head.seq++, statement_id: head.statementId };
          events.push({ ...common, ...this.#statementEvent(kind, reader, head) } as Event);
        }
      }
    }
    return { seq, back, events: withRewrites(events), stream };
  }

  #statementEvent(kind: number, reader: ByteReader, head: Head): object {
    switch (kind) {
      case ITEM.received:
        return this.#received(reader);
      case ITEM.decided:
        return this.#decided(reader, head);
      case ITEM.refused:
        return this.#refused(reader);
      case ITEM.cleared:
        return this.#cleared(reader, head);
      case ITEM.finished:
        return this.#finished(reader);
      default:
        throw new Error(`unknown item ${kind}`);
    }
  }

  #received(reader: ByteReader): object {
    const action = this.#json(reader.varint());
    const mode = this.#json(reader.varint());
    const payload = this.#ref(reader.varint());
    const params = reader.varint();
    const shape = reader.varint();
    return {
      type: 'statement.received',
      action,
      payload,
      mode,
      ...(params === 0 ? {} : { params: this.#ref(params - 1) }),
      ...(shape === 0 ? {} : { shape: this.#json(shape - 1) }),
    };
  }

  #decided(reader: ByteReader, head: Head): object {
    const decision_id = reader.text();
    const payload = this.#ref(reader.varint()).digest;
    const judgement = this.#json<Judgement>(reader.varint());
    const facts = this.#ref(reader.varint());
    head.binding = { payload, context: reader.digest(), expires_at: this.#expiries.text(reader.u64()) };
    const judged_us = reader.varint() / 1000;
    const flags = reader.u8();
    const rewrite = flags & DECIDED.rewritten ? { rewrite: { payload: '', masked: this.#json<string[]>(reader.varint()) } } : {};
    const decision = { decision_id, ...judgement, binding: head.binding, ...rewrite };
    return { type: 'statement.decided', decision, facts, cached: (flags & DECIDED.cached) !== 0, judged_us };
  }

  #refused(reader: ByteReader): object {
    const code = this.#json(reader.varint());
    const by = this.#json(reader.varint());
    const sqlstate = reader.varint();
    return { type: 'statement.refused', code, by, ...(sqlstate === 0 ? {} : { sqlstate: this.#json(sqlstate - 1) }) };
  }

  #cleared(reader: ByteReader, head: Head): object {
    const payload = this.#ref(reader.varint());
    const joined = this.#json<string>(reader.varint());
    const flags = reader.u8();
    const params = flags & CLEARED.params ? { params: this.#ref(reader.varint()) } : {};
    const approval = flags & CLEARED.approval ? { approval: this.#json(reader.varint()) } : {};
    const own = (flags & CLEARED.ownBinding) !== 0;
    if (own && head.binding === null) throw new Error('a clearance by a decision that is not in its record');
    const binding = own ? head.binding : { payload: reader.digest(), context: reader.digest(), expires_at: this.#expiries.text(reader.u64()) };
    return { type: 'statement.cleared', payload, ...params, binding, ...approval, obligations: joined === '' ? [] : joined.split('\n') };
  }

  #finished(reader: ByteReader): object {
    const outcome = OUTCOMES[reader.u8()];
    if (outcome === undefined) throw new Error('unknown outcome');
    const rows = reader.varint();
    const bytes = reader.varint();
    const duration_us = reader.varint();
    const tag = reader.varint();
    const sqlstate = reader.varint();
    const masked = reader.varint();
    const response_digest = reader.u8() === 0 ? null : reader.digest();
    return {
      type: 'statement.finished',
      outcome,
      ...(rows === 0 ? {} : { rows: rows - 1 }),
      ...(tag === 0 ? {} : { tag: this.#json(tag - 1) }),
      ...(sqlstate === 0 ? {} : { sqlstate: this.#json(sqlstate - 1) }),
      bytes,
      response_digest,
      masked: masked === 0 ? {} : (JSON.parse(this.#json<string>(masked - 1)) as object),
      duration_us,
    };
  }

  #payloadDefinition(reader: ByteReader): Definition {
    const digest = reader.digest();
    const bytes = reader.varint();
    const form = FORMS[reader.u8()];
    const media = MEDIA[reader.u8()];
    if (form === undefined || media === undefined) throw new Error('unknown form or media');
    const stored = form === 'redacted' ? reader.digest() : null;
    if (stored !== null) this.#onRedacted?.(digest, stored);
    return { ref: { digest, bytes, form }, media };
  }

  #json<T = unknown>(id: number): T {
    const definition = this.#definitions[id];
    if (!definition || !('json' in definition)) throw new Error(`definition ${id} is missing`);
    return definition.json as T;
  }

  #ref(id: number): PayloadRef {
    const definition = this.#definitions[id];
    if (!definition || !('ref' in definition)) throw new Error(`payload definition ${id} is missing`);
    return definition.ref;
  }
}

/** What went upstream instead is known from the clearance; a decision whose statement was not cleared in the same record names only the columns. */
function withRewrites(events: readonly Event[]): readonly Event[] {
  const cleared = events.find((event) => event.type === 'statement.cleared');
  return events.map((event) => {
    if (event.type !== 'statement.decided' || !event.decision.rewrite) return event;
    const { rewrite, ...decision } = event.decision;
    return { ...event, decision: cleared ? { ...decision, rewrite: { ...rewrite, payload: cleared.payload.digest } } : decision };
  });
}
