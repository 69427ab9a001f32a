/**
 * Events → the items of one open record. Consecutive events of one statement share a record; anything else starts a new one.
 * The layout is FORMAT.md's.
 */
import type { EventDraft, Payload } from '#client/journal';
import type { EventType, PayloadRef } from '#schemas/event';
import { InterlockError } from '#schemas/errors';
import { ByteWriter } from './byte-writer.ts';
import { Definitions } from './definitions.ts';
import { CLEARED, DECIDED, ITEM, OUTCOMES, RECORD_HEADER_BYTES } from './format.ts';
import { SessionBook, type SessionEntry } from './session-book.ts';
import { TimestampReader } from './timestamp-reader.ts';

/** Statements of one session between `received` and their end; past it the enforcer has lost count of them. */
const OPEN_STATEMENTS_MAX = 65_536;

const NO_BINDING = { context: '', expiresAt: '' } as const;

type Draft<T extends EventType> = Extract<EventDraft, { type: T }>;

export class RecordEncoder {
  /** The open record: header space, then items. Empty when `at` is 0. */
  readonly body: ByteWriter = new ByteWriter(8192);
  readonly definitions: Definitions;
  readonly sessions: SessionBook = new SessionBook();
  readonly #expiry = new TimestampReader();
  #statementId = '';
  #baseUs = 0;
  /** Of the decision in the open record. */
  #ownBinding: { readonly context: string; readonly expiresAt: string } = NO_BINDING;
  /** Where payload frames go: before the record that defines them. */
  frames: ByteWriter;

  constructor(definitions: Definitions, frames: ByteWriter) {
    this.definitions = definitions;
    this.frames = frames;
  }

  /** Whether this event may be added to the open record. */
  continues(event: EventDraft): boolean {
    return this.body.at > 0 && this.#statementId !== '' && event.statement_id === this.#statementId && event.type in HOT;
  }

  /** Refuses what cannot be encoded before anything of it is. @throws InterlockError INTERNAL: a defect of the caller. */
  check(event: EventDraft): void {
    if (!(event.type in HOT)) return;
    if (event.session_id === undefined || event.statement_id === undefined) throw defect(`${event.type} needs session_id and statement_id`);
    const open = this.sessions.find(event.session_id)?.open;
    if (event.type === 'statement.received' && open !== undefined && open.size >= OPEN_STATEMENTS_MAX)
      throw defect('too many statements without an end');
    if (event.type === 'statement.decided') {
      if (!open?.has(event.statement_id)) throw defect('statement.decided without statement.received');
      checkBinding(event.decision.binding);
    }
    if (event.type === 'statement.cleared') checkBinding(event.binding);
    if (event.type === 'statement.finished' && event.response_digest !== null && event.response_digest.length !== 71) {
      throw defect('response_digest is not a digest');
    }
  }

  /** Starts a record; `back` and everything else of its header but the clocks is filled in when it is sealed. */
  begin(wallUs: number, tickUs: number): void {
    const { body } = this;
    body.reserve(RECORD_HEADER_BYTES);
    body.at = 12;
    body.u64(wallUs);
    body.u64(tickUs);
    this.#statementId = '';
    this.#baseUs = tickUs;
    this.#ownBinding = NO_BINDING;
  }

  add(event: EventDraft, tickUs: number, stream: string | null): void {
    const { body } = this;
    if (stream !== null) {
      body.u8(ITEM.stream);
      body.text(stream);
    }
    if (!(event.type in HOT)) return this.#json(event, tickUs);
    const session = this.#session(event);
    if (this.#statementId === '') this.#head(event, session);
    session.next++;
    switch (event.type) {
      case 'statement.received':
        return this.#received(event, tickUs, session);
      case 'statement.decided':
        return this.#decided(event, tickUs, session);
      case 'statement.refused':
        return this.#refused(event, tickUs, session);
      case 'statement.cleared':
        return this.#cleared(event, tickUs, session);
      case 'statement.finished':
        return this.#finished(event, tickUs, session);
    }
  }

  #session(event: EventDraft): SessionEntry {
    return this.sessions.entry(event.session_id as string, event);
  }

  #head(event: EventDraft, session: SessionEntry): void {
    const { body } = this;
    if (session.segment !== this.definitions.segment) {
      session.id = this.definitions.json(session.constants, body);
      session.segment = this.definitions.segment;
    }
    this.#statementId = event.statement_id as string;
    body.u8(ITEM.statement);
    body.varint(session.id);
    body.varint(session.next);
    body.text(this.#statementId);
  }

  #received(event: Draft<'statement.received'>, tickUs: number, { open }: SessionEntry): void {
    const { body, definitions } = this;
    open.set(event.statement_id as string, event.payload);
    const action = definitions.string(event.action, body);
    const mode = definitions.string(event.mode, body);
    const payload = definitions.payload(event.payload, body, this.frames);
    const params = event.params ? definitions.payload(event.params, body, this.frames) + 1 : 0;
    const shape = event.shape ? definitions.string(event.shape, body) + 1 : 0;
    this.#item(ITEM.received, tickUs);
    body.varint(action);
    body.varint(mode);
    body.varint(payload);
    body.varint(params);
    body.varint(shape);
  }

  #decided(event: Draft<'statement.decided'>, tickUs: number, { open }: SessionEntry): void {
    const { body, definitions } = this;
    const { decision } = event;
    const asked = open.get(event.statement_id as string) as Payload;
    const payload = definitions.payload(asked, body, this.frames);
    const judgement = definitions.object(decision.judgement, body);
    const facts = definitions.payload(definitions.facts(event.facts), body, this.frames);
    const masked = decision.rewrite ? definitions.object(decision.rewrite.masked, body) : 0;
    this.#item(ITEM.decided, tickUs);
    body.text(decision.decision_id);
    body.varint(payload);
    body.varint(judgement);
    body.varint(facts);
    body.digest(decision.binding.context);
    body.u64(this.#expiry.microseconds(decision.binding.expires_at));
    body.varint(Math.round(event.judged_us * 1000));
    body.u8((event.cached ? DECIDED.cached : 0) | (decision.rewrite ? DECIDED.rewritten : 0));
    if (decision.rewrite) body.varint(masked);
    this.#ownBinding = { context: decision.binding.context, expiresAt: decision.binding.expires_at };
  }

  #refused(event: Draft<'statement.refused'>, tickUs: number, { open }: SessionEntry): void {
    const { body, definitions } = this;
    open.delete(event.statement_id as string);
    const code = definitions.string(event.code, body);
    const by = definitions.string(event.by, body);
    const sqlstate = event.sqlstate === undefined ? 0 : definitions.string(event.sqlstate, body) + 1;
    this.#item(ITEM.refused, tickUs);
    body.varint(code);
    body.varint(by);
    body.varint(sqlstate);
  }

  #cleared(event: Draft<'statement.cleared'>, tickUs: number, { open }: SessionEntry): void {
    const { body, definitions } = this;
    const { binding } = event;
    const payload = definitions.payload(event.payload, body, this.frames);
    const params = event.params ? definitions.payload(event.params, body, this.frames) : 0;
    const approval = event.approval ? definitions.json(event.approval, body) : 0;
    const obligations = definitions.string(event.obligations.join('\n'), body);
    const own = binding.context === this.#ownBinding.context && binding.expires_at === this.#ownBinding.expiresAt;
    this.#item(ITEM.cleared, tickUs);
    body.varint(payload);
    body.varint(obligations);
    body.u8((own ? CLEARED.ownBinding : 0) | (event.params ? CLEARED.params : 0) | (event.approval ? CLEARED.approval : 0));
    if (event.params) body.varint(params);
    if (event.approval) body.varint(approval);
    if (own) return;
    // the caller's digest of the payload is plain: one could guess a short text from it; ours is salted
    body.digest(definitions.digestOf(open.get(event.statement_id as string) ?? event.payload));
    body.digest(binding.context);
    body.u64(this.#expiry.microseconds(binding.expires_at));
  }

  #finished(event: Draft<'statement.finished'>, tickUs: number, { open }: SessionEntry): void {
    const { body, definitions } = this;
    open.delete(event.statement_id as string);
    const tag = event.tag === undefined ? 0 : definitions.string(event.tag, body) + 1;
    const sqlstate = event.sqlstate === undefined ? 0 : definitions.string(event.sqlstate, body) + 1;
    const masked = isEmpty(event.masked) ? 0 : definitions.string(JSON.stringify(event.masked), body) + 1;
    this.#item(ITEM.finished, tickUs);
    body.u8(OUTCOMES.indexOf(event.outcome));
    body.varint(event.rows === undefined ? 0 : event.rows + 1);
    body.varint(event.bytes);
    body.varint(event.duration_us);
    body.varint(tag);
    body.varint(sqlstate);
    body.varint(masked);
    body.u8(event.response_digest === null ? 0 : 1);
    if (event.response_digest !== null) body.digest(event.response_digest);
  }

  /** Every other event stands as JSON: rare, and readable as it is. */
  #json(event: EventDraft, tickUs: number): void {
    const { body } = this;
    const shown: Record<string, unknown> = { ...event };
    for (const [key, value] of Object.entries(shown)) {
      if (isPayload(value)) shown[key] = this.#reference(value);
      else if (hasPlan(value)) shown[key] = { ...value, plan: this.#reference(value.plan) };
    }
    if (event.session_id !== undefined && (event.type.startsWith('session.') || event.type.startsWith('statement.'))) {
      const session = this.sessions.entry(event.session_id, event);
      if (session.constants.target !== undefined) shown['target'] = session.constants.target;
      if (session.constants.subject !== undefined) shown['subject'] = session.constants.subject;
      shown['session_seq'] = session.next++;
      if (event.type === 'session.closed' || event.type === 'session.refused') this.sessions.close(event.session_id);
    }
    this.#item(ITEM.json, tickUs);
    body.text(JSON.stringify(shown));
  }

  #reference(payload: Payload): PayloadRef {
    this.definitions.payload(payload, this.body, this.frames);
    return this.definitions.refOf(payload);
  }

  #item(kind: number, tickUs: number): void {
    this.body.u8(kind);
    this.body.varint(Math.max(0, tickUs - this.#baseUs));
  }
}

const HOT: Readonly<Partial<Record<EventType, true>>> = {
  'statement.received': true,
  'statement.decided': true,
  'statement.refused': true,
  'statement.cleared': true,
  'statement.finished': true,
};

function defect(message: string): InterlockError {
  return new InterlockError('INTERNAL', message);
}

function checkBinding(binding: { readonly context: string; readonly expires_at: string }): void {
  if (binding.context.length !== 71) throw defect('binding.context is not a digest');
  if (binding.expires_at.length !== 27) throw defect('binding.expires_at is not a timestamp with microseconds');
}

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && 'media' in value && 'bytes' in value && value.bytes instanceof Uint8Array;
}

/** An estimate: the one object of an event that holds a payload. */
function hasPlan(value: unknown): value is { readonly plan: Payload } {
  return typeof value === 'object' && value !== null && 'plan' in value && isPayload(value.plan);
}

function isEmpty(value: object): boolean {
  for (const key in value) if (Object.hasOwn(value, key)) return false;
  return true;
}
