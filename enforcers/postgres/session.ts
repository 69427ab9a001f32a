/** One client connection in its data phase: the client's messages, in order, each cleared before it goes upstream. */
import type { Socket } from 'node:net';
import type { DecisionService, Statement } from '#client/decision-service';
import type { DurablePosition, Payload } from '#client/journal';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { HoldEnded, type Asked, type Scene, type Voice } from '#enforcers/common/asked';
import type { ClearedStatement, Outcome } from '#enforcers/common/cleared';
import { enforce } from '#enforcers/common/enforce';
import { LIMITS } from '#enforcers/common/limits';
import { Outbox } from '#enforcers/common/outbox';
import { isPromise } from '#enforcers/common/promise';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import { Gate, Wire } from '#enforcers/common/socket';
import { decodeParams, readBind, recordedParams } from './bind.ts';
import { expect, type Change, type Running } from './expected.ts';
import { forgetText, readForget } from './forget.ts';
import { Frames } from './frames.ts';
import { Names, PrivateNames, type Portal, type Prepared } from './namespace.ts';
import { B, cstring, F, FLUSH, int16, message, ready, report, SYNC, TERMINATE, TRANSACTION } from './protocol.ts';
import { Replies } from './replies.ts';
import { SettingsReader } from './settings.ts';
import { PROTOCOL, type Unsupported } from './support.ts';
import { traitsOf, type Traits } from './traits.ts';
import { Transaction } from './transaction.ts';
import { errorFields } from './words.ts';

export interface SessionParts {
  readonly client: Socket;
  readonly target: Socket;
  readonly scene: Omit<Scene, 'objects' | 'voice'>;
  readonly decisions: DecisionService;
  readonly settings: SettingsReader;
  readonly log: Log;
  readonly statementBytes: number;
  /** Proof that `session.opened` is on stable storage. */
  readonly opened: DurablePosition;
  /** What the client is told of parameters that the target reports (M15); null: as the target says. */
  readonly told: ReadonlyMap<string, string>;
  /** The catalog may have changed; resolves once the decisions know the new one. */
  readonly catalogChanged: () => Promise<void>;
  /** Counts up whenever another catalog was learned. */
  readonly catalogEpoch: () => number;
  readonly closed: (session: PostgresSession, reason: CloseReason) => void;
}

export type CloseReason = 'client' | 'target' | 'policy' | 'terminated' | 'drain' | 'fault';

const NO_PARAMS = 0;

export class PostgresSession {
  readonly #parts: SessionParts;
  readonly #scene: Scene;
  readonly #client: Wire;
  readonly #target: Wire;
  readonly #clientGate: Gate;
  readonly #targetGate: Gate;
  readonly #frames: Frames;
  readonly #replies: Replies;
  readonly #outbox: Outbox;
  readonly #names: PrivateNames = new PrivateNames();
  readonly #prepared: Names<Prepared> = new Names();
  readonly #portals: Names<Portal> = new Names();
  readonly #transaction: Transaction = new Transaction();
  /** Names a prepared statement that nobody can make: its Bind makes the target give up the segment and the transaction (P11, P12). */
  readonly #abort: Buffer;
  #settings: Readonly<Record<string, string>>;
  #settingsStale = false;
  #catalogStale = false;
  /** Something asynchronous is under way for the client's current message. */
  #waiting = false;
  /** Nothing more is read before the target has answered everything. */
  #barrier = false;
  /** After an error: everything up to Sync is dropped. */
  #discarding = false;
  /** Messages went out that no Sync has followed yet. */
  #segmentOpen = false;
  #segment = 0;
  #releasing = false;
  #durable: DurablePosition;
  #hold: { readonly approvalId: string; readonly controller: AbortController } | null = null;
  #ending: CloseReason | null = null;
  #over = false;
  #masked = false;
  statements = 0;
  lastActiveMs: number;

  constructor(parts: SessionParts, settings: Readonly<Record<string, string>>) {
    this.#parts = parts;
    this.#settings = settings;
    this.#durable = parts.opened;
    this.#client = new Wire(parts.client);
    this.#target = new Wire(parts.target);
    this.#clientGate = new Gate(parts.client);
    this.#targetGate = new Gate(parts.target);
    this.#frames = new Frames(parts.statementBytes);
    this.#outbox = new Outbox((bytes) => this.#target.write(bytes));
    this.#replies = new Replies(this.#client, this.#sink());
    this.#scene = { ...parts.scene, objects: (asked, statement) => this.#objection(asked, statement), voice: this.#voice() };
    this.#abort = message(F.bind, '', `__gw_abort_${parts.scene.ids.next('non')}__`, int16(0), int16(0), int16(0));
    this.lastActiveMs = this.#nowMs();
  }

  get id(): string {
    return this.#parts.scene.sessionId;
  }

  get scene(): Scene {
    return this.#scene;
  }

  get state(): 'idle' | 'active' | 'held' {
    if (this.#hold) return 'held';
    return this.#waiting || !this.#replies.idle || !this.#outbox.empty ? 'active' : 'idle';
  }

  get approvalId(): string | null {
    return this.#hold?.approvalId ?? null;
  }

  get bytes(): { readonly in: number; readonly out: number } {
    return { in: this.#parts.client.bytesRead, out: this.#client.written };
  }

  /** What the client's cancel request means now: the end of a wait, or a cancel at the target; `none` when nothing runs. */
  cancel(): 'held' | 'running' | 'none' {
    if (this.#hold) {
      this.#hold.controller.abort(new HoldEnded('cancel'));
      return 'held';
    }
    return this.#replies.idle ? 'none' : 'running';
  }

  /** Ends the session from our side; the client is told why. */
  end(reason: CloseReason, why: Refusal): void {
    if (this.#over || this.#ending) return;
    this.#client.write(report(B.error, errorFields(why, 'FATAL')));
    this.#client.flush();
    this.#finish(reason);
  }

  // — sockets —

  /** The client has been greeted: from here on its messages count. */
  begin(leftover: Buffer): void {
    const { client, target } = this.#parts;
    client.on('data', (chunk: Buffer) => this.#guard(() => this.#fromClient(chunk)));
    target.on('data', (chunk: Buffer) => this.#guard(() => this.#fromTarget(chunk)));
    client.on('drain', () => this.#targetGate.open('client'));
    target.on('drain', () => this.#clientGate.open('target'));
    client.on('error', () => {});
    target.on('error', () => {});
    client.on('end', () => this.#guard(() => this.#clientGone()));
    client.on('close', () => this.#guard(() => this.#clientGone()));
    target.on('close', () => this.#targetGone());
    target.on('end', () => this.#targetGone());
    client.resume();
    target.resume();
    if (leftover.length > 0) this.#guard(() => this.#fromClient(leftover));
  }

  #fromClient(chunk: Buffer): void {
    this.lastActiveMs = this.#nowMs();
    this.#frames.push(chunk);
    this.#pump();
  }

  #fromTarget(chunk: Buffer): void {
    this.#replies.take(chunk);
    if (this.#barrier && this.#replies.idle) this.#pump();
    this.#flushClient();
  }

  #flushClient(): void {
    if (!this.#client.flush()) this.#targetGate.close('client');
  }

  #flushTarget(): void {
    if (!this.#target.flush()) this.#clientGate.close('target');
  }

  // — the client's messages —

  /** Takes messages as long as nothing has to be waited for. */
  #pump(): void {
    while (!this.#waiting && !this.#over && !this.#ending) {
      if (this.#mustWait()) break;
      const state = this.#frames.next();
      if (state === 'partial') break;
      if (state === 'malformed') return this.end('client', refusal('PROTOCOL', 'invalid message length'));
      if (state === 'oversized') this.#oversized();
      else this.#frame();
    }
    if (this.#frames.waiting > LIMITS.readAheadBytes) this.#clientGate.close('ahead');
    else this.#clientGate.open('ahead');
    // what only prepares a held statement waits with it, so that the target holds no locks meanwhile
    if (!this.#waiting || this.#outbox.pressing) this.#release();
    this.#flushTarget();
    this.#flushClient();
  }

  #mustWait(): boolean {
    if (this.#barrier) {
      if (!this.#replies.idle) return true;
      this.#barrier = false;
    }
    if (this.#replies.expected.length < LIMITS.unansweredMessages) return false;
    // the target keeps answers back until Sync or Flush: ask for them, so that what is unanswered stays bounded
    if (this.#segmentOpen) this.#outbox.pass(FLUSH);
    this.#barrier = true;
    return true;
  }

  #frame(): void {
    const { type } = this.#frames;
    if (type === F.terminate) return this.#terminate();
    if (this.#discarding && type !== F.sync) return;
    switch (type) {
      case F.bind:
        return this.#bind();
      case F.execute:
        return this.#whenCurrent(() => this.#execute());
      case F.sync:
        return this.#sync();
      case F.query:
        return this.#whenCurrent(() => this.#query());
      case F.parse:
        return this.#whenCurrent(() => this.#parse());
      case F.describe:
        return this.#describe();
      case F.close:
        return this.#close();
      case F.flush:
        return this.#flush();
      case F.functionCall:
        return this.#refuseSimple(unsupported(PROTOCOL.functionCall));
      case F.copyData:
      case F.copyDone:
      case F.copyFail:
        return; // outside COPY the server drops them too, and COPY FROM is not supported (P13)
      default:
        return this.end('client', refusal('PROTOCOL', `invalid frontend message type ${type}`));
    }
  }

  #terminate(): void {
    this.#ending = 'client';
    this.#finish('client');
  }

  /** Bytes of the current frame, shared with the read buffer. */
  #bytes(): Buffer {
    return this.#frames.buffer.subarray(this.#frames.start, this.#frames.end);
  }

  #oversized(): void {
    if (this.#discarding) return;
    const why = refusal('BUDGET_TEXT', `a message of type ${String.fromCharCode(this.#frames.type)} is longer than the limit`);
    if (this.#frames.type === F.query || this.#frames.type === F.functionCall) this.#refuseSimple(why);
    else this.#refuseExtended(why);
  }

  #query(): void {
    const { buffer, start, end } = this.#frames;
    const text = wholeText(buffer, start + 5, end);
    if (text === null) return this.end('client', refusal('PROTOCOL', 'invalid message format'));
    const frame = this.#bytes();
    const asked = this.#asked('sql.execute', 'simple', { bytes: text, media: 'text' }, null, null, null);
    this.#then(enforce(asked, this.#scene), (outcome) => {
      if (outcome.refused) return this.#refuseSimple(outcome);
      const traits = traitsOf(outcome.statement);
      const sent = this.#sent(outcome, text, traits);
      if ('refused' in sent) return this.#refuseSimple(sent);
      // a simple Query ends the unnamed statement and portal
      const unnamed = this.#prepared.delete('');
      this.#portals.delete('');
      this.#outbox.stage(outcome, sent === text ? frame : message(F.query, sent, Buffer.of(0)));
      this.#replies.expected.push(
        expect('query', ++this.#segment, {
          running: this.#run(outcome, sent, this.#forgets(text, traits)),
          change: unnamed === null ? null : { confirm: () => {}, revert: () => this.#prepared.revert('', null, unnamed) },
        }),
      );
      this.#did(traits);
      this.#transaction.segmentEnds();
    });
  }

  #parse(): void {
    const { buffer, start, end } = this.#frames;
    const name = cstring(buffer, start + 5, end);
    const textEnd = name === null ? -1 : buffer.indexOf(0, name.next);
    if (name === null || textEnd < 0 || textEnd + 3 > end) return this.end('client', refusal('PROTOCOL', 'invalid message format'));
    const count = buffer.readUInt16BE(textEnd + 1);
    if (textEnd + 3 + 4 * count !== end) return this.end('client', refusal('PROTOCOL', 'invalid message format'));
    const nameEnd = name.next - 1;
    if (nameEnd - (start + 5) > LIMITS.nameBytes) return this.#refuseExtended(unsupported(PROTOCOL.longName));
    const key = buffer.toString('latin1', start + 5, nameEnd);
    if (this.#prepared.size >= LIMITS.preparedPerSession && !this.#prepared.get(key)) return this.#refuseExtended(refusal('BUDGET_PREPARED'));
    const types: number[] = [];
    for (let at = textEnd + 3; at < end; at += 4) types.push(buffer.readInt32BE(at));
    const payload: Payload = { bytes: Buffer.from(buffer.subarray(name.next, textEnd)), media: 'text' };
    const frame = this.#bytes();
    const asked = this.#asked('sql.prepare', 'extended', payload, null, null, null);
    this.#then(enforce(asked, this.#scene), (outcome) => {
      if (outcome.refused) return this.#refuseExtended(outcome);
      const sent = this.#sent(outcome, payload.bytes, traitsOf(outcome.statement));
      if ('refused' in sent) return this.#refuseExtended(sent);
      const prepared: Prepared = {
        payload,
        sent,
        types,
        statement: outcome.statement,
        settings: this.#settings,
        epoch: this.#epoch(),
        segment: this.#segment,
        confirmed: false,
      };
      this.#names.apply(frame, 5, 5 + key.length);
      this.#stage(outcome, sent === payload.bytes ? frame : this.#parseMessage(key, sent, frame.subarray(textEnd + 1 - start)));
      this.#replies.expected.push(expect('parse', this.#segment, { running: this.#run(outcome, sent, null), change: this.#define(key, prepared) }));
    });
  }

  #define(key: string, prepared: Prepared): Change {
    const before = this.#prepared.set(key, prepared);
    return {
      confirm: () => {
        prepared.confirmed = true;
      },
      // the unnamed one is gone whatever the new text was
      revert: () => this.#prepared.revert(key, prepared, key === '' ? null : before),
    };
  }

  #bind(): void {
    const { buffer, start, end } = this.#frames;
    const bind = readBind(buffer, start + 5, end);
    if (bind === null) return this.end('client', refusal('PROTOCOL', 'invalid message format'));
    const prepared = this.#prepared.get(bind.statement);
    if (!prepared) return this.#refuseExtended(unknownName('26000', 'prepared statement', bind.statement));
    if (this.#unsettled(prepared)) return;
    if (bind.portal.length > LIMITS.nameBytes) return this.#refuseExtended(unsupported(PROTOCOL.longName));
    if (this.#portals.size >= LIMITS.portalsPerSession && !this.#portals.get(bind.portal)) return this.#refuseExtended(refusal('BUDGET_PREPARED'));
    const raw = bind.count === NO_PARAMS ? null : buffer.subarray(bind.paramsAt, bind.paramsEnd);
    const portal: Portal = {
      prepared,
      // a named portal lives long; it must not keep the whole read buffer with it
      params: raw !== null && bind.portal !== '' ? Buffer.from(raw) : raw,
      segment: this.#segment,
      confirmed: false,
      approval: null,
    };
    this.#names.apply(buffer, bind.portalAt, bind.portalAt + bind.portal.length);
    this.#names.apply(buffer, bind.statementAt, bind.statementAt + bind.statement.length);
    const before = this.#portals.set(bind.portal, portal);
    this.#pass(this.#bytes());
    this.#replies.expected.push(
      expect('bind', this.#segment, {
        change: {
          confirm: () => {
            portal.confirmed = true;
          },
          revert: () => this.#portals.revert(bind.portal, portal, bind.portal === '' ? null : before),
        },
      }),
    );
  }

  #execute(): void {
    const { buffer, start, end } = this.#frames;
    const nameEnd = buffer.indexOf(0, start + 5);
    if (nameEnd < 0 || nameEnd + 5 !== end) return this.end('client', refusal('PROTOCOL', 'invalid message format'));
    const key = buffer.toString('latin1', start + 5, nameEnd);
    const portal = this.#portals.get(key);
    if (!portal) return this.#refuseExtended(unknownName('34000', 'portal', key));
    if (this.#unsettled(portal)) return;
    const { prepared } = portal;
    const known = prepared.settings === this.#settings && prepared.epoch === this.#epoch() ? prepared.statement : null;
    const frame = this.#bytes();
    const asked = this.#asked('sql.execute', 'extended', prepared.payload, portal, known, portal.approval && { approval: portal.approval });
    this.#then(enforce(asked, this.#scene), (outcome) => {
      if (outcome.refused) return this.#refuseExtended(outcome);
      const text = this.#sent(outcome, prepared.payload.bytes, traitsOf(outcome.statement));
      if ('refused' in text) return this.#refuseExtended(text);
      if (!same(text, prepared.sent)) return this.#refuseExtended(this.#refuseCleared(outcome, refusal('PREPARED_STALE')));
      if (known === null) this.#refresh(prepared, outcome.statement);
      portal.approval = outcome.approval;
      if (key.length > 0) this.#names.apply(frame, 5, 5 + key.length);
      this.#stage(outcome, frame);
      const traits = traitsOf(outcome.statement);
      const running = this.#run(outcome, prepared.sent, this.#forgets(prepared.payload.bytes, traits));
      this.#replies.expected.push(expect('execute', this.#segment, { running }));
      this.#did(traits);
    });
  }

  #refresh(prepared: Prepared, statement: Statement): void {
    prepared.statement = statement;
    prepared.settings = this.#settings;
    prepared.epoch = this.#epoch();
  }

  #describe(): void {
    const named = this.#named();
    if (named === null) return this.end('client', refusal('PROTOCOL', 'invalid message format'));
    const { kind, key } = named;
    const subject = kind === 'S' ? this.#prepared.get(key) : this.#portals.get(key);
    if (!subject) {
      return this.#refuseExtended(kind === 'S' ? unknownName('26000', 'prepared statement', key) : unknownName('34000', 'portal', key));
    }
    if (this.#unsettled(subject)) return;
    const prepared = kind === 'S' ? (subject as Prepared) : null;
    this.#pass(this.#renamed(key));
    this.#replies.expected.push(expect('describe', this.#segment, { parameters: prepared && ((body) => learnTypes(prepared, body)) }));
  }

  #close(): void {
    const named = this.#named();
    if (named === null) return this.end('client', refusal('PROTOCOL', 'invalid message format'));
    const { kind, key } = named;
    const change = kind === 'S' ? forget(this.#prepared, key) : forget(this.#portals, key);
    this.#pass(this.#renamed(key));
    this.#replies.expected.push(expect('close', this.#segment, { change }));
    // until the target has confirmed it the name may still mean the old thing there: see #unsettled
  }

  /** `S` or `P` and a name: Describe and Close. */
  #named(): { readonly kind: 'S' | 'P'; readonly key: string } | null {
    const { buffer, start, end } = this.#frames;
    const kind = buffer[start + 5];
    const nul = buffer.indexOf(0, start + 6);
    if ((kind !== 83 && kind !== 80) || nul < 0 || nul + 1 !== end) return null;
    return { kind: kind === 83 ? 'S' : 'P', key: buffer.toString('latin1', start + 6, nul) };
  }

  #renamed(key: string): Buffer {
    const frame = this.#bytes();
    this.#names.apply(frame, 6, 6 + key.length);
    return frame;
  }

  #flush(): void {
    this.#outbox.pass(FLUSH);
  }

  #sync(): void {
    this.#outbox.pass(SYNC);
    this.#replies.expected.push(expect('sync', ++this.#segment));
    this.#segmentOpen = false;
    this.#transaction.segmentEnds();
    // after a refusal the next segment waits until it is known what became of the transaction
    if (this.#discarding) this.#barrier = true;
    this.#discarding = false;
  }

  /**
   * A name that an earlier segment defined and that the target has not confirmed may mean another thing there, if that segment failed:
   * the message waits for the answers. Within one segment an error makes the target drop the message too.
   */
  #unsettled(subject: Prepared | Portal): boolean {
    if (subject.confirmed || subject.segment === this.#segment) return false;
    if (this.#replies.idle) throw new InterlockError('INTERNAL', 'a name was neither confirmed nor taken back');
    this.#again();
    return true;
  }

  /** The current message is taken again once the target has answered everything. */
  #again(): void {
    this.#frames.again();
    this.#barrier = true;
  }

  // — judging —

  #asked(
    action: Asked['action'],
    mode: Asked['mode'],
    payload: Payload,
    portal: Portal | null,
    known: Statement | null,
    continued: Asked['continued'],
  ): Asked {
    this.statements++;
    const raw = portal?.params ?? null;
    const types = portal?.prepared.types ?? [];
    return {
      statementId: this.#scene.ids.next('stm'),
      action,
      mode,
      payload,
      params: raw && { bytes: recordedParams(raw, types), media: 'params' },
      decoded: raw && (() => decodeParams(raw, types)),
      known,
      transaction: this.#transaction.state,
      settings: this.#settings,
      continued,
    };
  }

  /** What the protocol itself has against a statement; whatever policy says. */
  #objection(_asked: Asked, statement: Statement): Refusal | null {
    const traits = traitsOf(statement);
    if (this.#transaction.refused && !traits.recovers) {
      return refusal('TRANSACTION_ABORTED', 'current transaction is aborted, commands ignored until end of transaction block');
    }
    if (traits.unsupported) return unsupported(traits.unsupported);
    if (traits.pin !== null) return refusal('PIN_REFUSED', traits.pin);
    if (traits.kinds.length > 1 && traits.controlsTransaction && this.#transaction.settingsTouched) return unsupported(PROTOCOL.settingsInside);
    return null;
  }

  /** Goes on at once with a value; with a promise, nothing more is read of the client until it is there. */
  #then(outcome: Outcome | Promise<Outcome>, next: (outcome: Outcome) => void): void {
    if (!isPromise(outcome)) return next(outcome);
    this.#wait(outcome, next);
  }

  #wait<T>(promise: Promise<T>, next: (value: T) => void): void {
    this.#waiting = true;
    promise.then(
      (value) =>
        this.#guard(() => {
          this.#waiting = false;
          if (this.#over) return;
          next(value);
          this.#pump();
        }),
      (error: unknown) => this.#fault(error),
    );
  }

  /** The settings and the catalog under which statements are read must be those that the target has. */
  #whenCurrent(next: () => void): void {
    if (this.#settingsStale && !this.#transaction.failed && !this.#transaction.refused) return this.#readSettings();
    if (this.#catalogStale) {
      if (!this.#replies.idle) return this.#again();
      this.#catalogStale = false;
      this.#frames.again();
      return this.#wait(this.#parts.catalogChanged(), () => {});
    }
    next();
  }

  #readSettings(): void {
    this.#frames.again();
    this.#settingsStale = false;
    const open = this.#segmentOpen;
    const asked = this.#parts.settings.ask((entry) => this.#replies.expected.push(entry), this.#segment, open ? null : ++this.#segment);
    for (const bytes of asked.messages) this.#outbox.pass(bytes);
    this.#outbox.pass(open ? FLUSH : SYNC);
    this.#wait(asked.answer, (settings) => {
      if (settings === null) this.#settingsStale = true;
      else this.#settings = settings;
    });
    this.#release();
  }

  #epoch(): string {
    return `${this.#parts.decisions.revision}/${this.#parts.catalogEpoch()}`;
  }

  #run(cleared: ClearedStatement, text: Uint8Array, done: (() => void) | null): Running {
    const { rewrite } = cleared;
    if (rewrite && rewrite.masked.length > 0) this.#masked = true;
    return {
      id: cleared.statementId,
      startedUs: this.#scene.clock.monotonicUs(),
      masked: rewrite?.masked ?? [],
      toOriginal: rewrite?.toOriginal ?? null,
      text,
      done,
      rows: 0,
      bytes: 0,
      tag: null,
      sqlstate: null,
    };
  }

  #did(traits: Traits): void {
    this.#transaction.did(traits);
    if (traits.touchesSettings || (traits.controlsTransaction && this.#transaction.settingsTouched)) this.#settingsStale = true;
    if (traits.touchesSettings) this.#transaction.settingsTouched = true;
    if (traits.touchesCatalog && this.#parts.decisions.masksPossible) this.#catalogStale = true;
  }

  /** What goes upstream for a text: itself, its masked form, or with the private name of what it deallocates. */
  #sent(cleared: ClearedStatement, text: Uint8Array, traits: Traits): Uint8Array | Refusal {
    if (cleared.rewrite) return cleared.rewrite.text;
    if (!traits.forgetsName) return text;
    const what = readForget(text);
    if (what === null) return this.#refuseCleared(cleared, unsupported(PROTOCOL.deallocateForm));
    return what.name === null ? text : forgetText(what, this.#names);
  }

  /** What the session forgets once the target has confirmed. */
  #forgets(text: Uint8Array, traits: Traits): (() => void) | null {
    if (traits.kinds[0] === 'discard') {
      return () => {
        this.#prepared.clear();
        this.#portals.clear();
      };
    }
    const what = traits.forgetsName ? readForget(text) : null;
    if (what === null) return null;
    const names: Names<Prepared> | Names<Portal> = what.of === 'prepared' ? this.#prepared : this.#portals;
    const key = what.name === null ? null : Buffer.from(what.name).toString('latin1');
    return () => (key === null ? names.clear() : void names.delete(key));
  }

  #parseMessage(key: string, text: Uint8Array, types: Uint8Array): Buffer {
    const name = Buffer.from(key, 'latin1');
    this.#names.apply(name, 0, name.length);
    return message(F.parse, name, NUL, text, NUL, types);
  }

  // — refusing —

  /** Its intent stands in the journal, but it never leaves: it is finished there as aborted. */
  #refuseCleared(cleared: ClearedStatement, why: Refusal): Refusal {
    this.#finished(this.#run(cleared, NOTHING, null), 'aborted');
    return why;
  }

  /** Ends the segment at the target; the client is told once, and what follows up to Sync is dropped. */
  #refuseExtended(why: Refusal): void {
    this.#pass(this.#abort);
    this.#replies.expected.push(expect('refusal', this.#segment, { instead: report(B.error, errorFields(why, 'ERROR')) }));
    this.#transaction.refuse();
    this.#discarding = true;
  }

  #refuseSimple(why: Refusal): void {
    const said = report(B.error, errorFields(why, 'ERROR'));
    if (this.#replies.idle && this.#outbox.empty && !this.#segmentOpen && this.#transaction.none) {
      // nothing of it has reached the target, and nothing there has to be given up
      this.#client.write(said);
      this.#client.write(ready(TRANSACTION.idle));
      return;
    }
    this.#pass(this.#abort);
    this.#replies.expected.push(expect('refusal', this.#segment, { instead: said }));
    this.#outbox.pass(SYNC);
    this.#replies.expected.push(expect('sync', ++this.#segment));
    this.#segmentOpen = false;
    this.#transaction.refuse();
    this.#transaction.segmentEnds();
    this.#barrier = true;
  }

  // — to the target —

  #stage(cleared: ClearedStatement, bytes: Buffer): void {
    this.#segmentOpen = true;
    this.#outbox.stage(cleared, bytes);
  }

  #pass(bytes: Buffer): void {
    this.#segmentOpen = true;
    this.#outbox.pass(bytes);
  }

  /** The one wait for the disk: everything staged leaves together once its intents are durable. */
  #release(): void {
    if (this.#outbox.empty || this.#releasing || this.#over) return;
    const batch = this.#outbox.take();
    const durable = this.#durable >= batch.intent ? this.#durable : this.#scene.journal.durable(batch.intent);
    if (!isPromise(durable)) return this.#forward(batch, durable);
    this.#releasing = true;
    durable.then(
      (proof) =>
        this.#guard(() => {
          this.#releasing = false;
          if (this.#over) return;
          this.#forward(batch, proof);
          this.#release();
          this.#flushTarget();
        }),
      (error: unknown) => this.#fault(error),
    );
  }

  #forward(batch: ReturnType<Outbox['take']>, proof: DurablePosition): void {
    this.#durable = proof;
    this.#outbox.release(batch, proof, this.#scene.clock.monotonicUs());
  }

  // — the target's answers —

  #sink(): ConstructorParameters<typeof Replies>[1] {
    return {
      canned: () => this.#masked || this.#parts.decisions.masksPossible,
      finished: (running, outcome) => this.#finished(running, outcome),
      ready: (status, segment) => this.#ready(status, segment),
      skipping: () => {
        this.#discarding = true;
      },
      parameter: (name, value) => (this.#parts.decisions.masksPossible ? (this.#parts.told.get(name) ?? value) : value),
      copyIn: () => {
        this.#target.write(message(F.copyFail, 'COPY FROM is not supported by the gateway'));
        this.#flushTarget();
      },
    };
  }

  #finished(running: Running, outcome: 'ok' | 'error' | 'aborted' | 'unknown'): void {
    const { rows, tag, sqlstate, masked } = running;
    this.#scene.journal.append({
      type: 'statement.finished',
      session_id: this.#scene.sessionId,
      statement_id: running.id,
      target: this.#scene.target,
      outcome: sqlstate === '57014' ? 'cancelled' : outcome,
      bytes: running.bytes,
      response_digest: null,
      masked: masked.length === 0 ? NOT_MASKED : Object.fromEntries(masked.map((column) => [column, rows])),
      duration_us: this.#scene.clock.monotonicUs() - running.startedUs,
      rows,
      ...(tag === null ? null : { tag }),
      ...(sqlstate === null ? null : { sqlstate }),
    });
  }

  #ready(status: number, segment: number): void {
    if (status === TRANSACTION.idle) this.#portals.dropUpTo(segment - 1);
    if (this.#replies.idle) {
      if (this.#transaction.settle(status)) this.#settingsStale = true;
    }
    this.lastActiveMs = this.#nowMs();
  }

  // — ends —

  #voice(): Voice {
    return {
      held: (approvalId, controller) => {
        this.#hold = { approvalId, controller };
        if (this.#over) controller.abort(new HoldEnded('disconnect'));
      },
      released: () => {
        this.#hold = null;
        this.lastActiveMs = this.#nowMs();
      },
      notice: (text, detail, hint) => {
        this.#client.write(report(B.notice, { S: 'NOTICE', V: 'NOTICE', C: '00000', M: text, D: detail, H: hint }));
        this.#flushClient();
      },
    };
  }

  #clientGone(): void {
    if (this.#over) return;
    this.#hold?.controller.abort(new HoldEnded('disconnect'));
    this.#finish(this.#ending ?? 'client');
  }

  #targetGone(): void {
    if (this.#over) return;
    if (!this.#ending) {
      this.#replies.lost();
      if (!this.#replies.fatal) {
        this.#client.write(report(B.error, errorFields(refusal('TARGET_UNREACHABLE', 'the target closed the connection'), 'FATAL')));
      }
      this.#client.flush();
    }
    this.#finish(this.#ending ?? 'target');
  }

  /** Lets what runs at the target come to its end, for a while, so that its outcome is known. */
  #finish(reason: CloseReason): void {
    if (this.#over) return;
    this.#ending = reason;
    const { client, target } = this.#parts;
    if (this.#replies.idle || target.destroyed) return this.#closeNow(reason);
    if (!client.destroyed) client.end();
    const timer = setTimeout(() => this.#closeNow(reason), LIMITS.closeMs);
    target.once('close', () => {
      clearTimeout(timer);
      this.#closeNow(reason);
    });
    this.#outbox.pass(TERMINATE);
    this.#release();
    this.#flushTarget();
  }

  #closeNow(reason: CloseReason): void {
    if (this.#over) return;
    this.#over = true;
    this.#hold?.controller.abort(new HoldEnded('disconnect'));
    this.#replies.lost();
    const { client, target } = this.#parts;
    if (!target.destroyed) {
      target.end(TERMINATE);
      target.destroySoon();
    }
    if (!client.destroyed) client.destroySoon();
    this.#scene.decisions.close();
    this.#parts.closed(this, reason);
  }

  /** Nothing thrown stays unseen: the session ends, closed. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fault(error);
    }
  }

  #fault(error: unknown): void {
    if (this.#over) return;
    this.#parts.log.error({ session: this.id, err: error }, 'session ended by a fault');
    const why = error instanceof InterlockError ? refusalOf(error) : refusal('INTERNAL');
    this.#client.write(report(B.error, errorFields(why, 'FATAL')));
    this.#client.flush();
    this.#closeNow('fault');
  }

  #nowMs(): number {
    return Math.floor(this.#scene.clock.monotonicUs() / 1000);
  }
}

const NOTHING = Buffer.alloc(0);
const NUL = Buffer.of(0);
const NOT_MASKED: Readonly<Record<string, number>> = {};

function same(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0;
}

function wholeText(buffer: Buffer, start: number, end: number): Buffer | null {
  const nul = buffer.indexOf(0, start);
  return nul === end - 1 ? Buffer.from(buffer.subarray(start, nul)) : null;
}

function unsupported(what: Unsupported): Refusal {
  return refusal('UNSUPPORTED', `${what.feature} is not supported by the gateway`, { hint: what.instead });
}

function unknownName(sqlstate: string, what: string, name: string): Refusal {
  const spelled = Buffer.from(name, 'latin1').toString();
  return { ...refusal('PROTOCOL', `${what} "${spelled}" does not exist`), sqlstate, hint: undefined };
}

function forget<T extends { readonly segment: number }>(names: Names<T>, key: string): Change | null {
  const before = names.delete(key);
  return before === null ? null : { confirm: () => {}, revert: () => names.revert(key, null, before) };
}

/** ParameterDescription: Int16 count, then an Int32 oid each. */
function learnTypes(prepared: Prepared, body: Buffer): void {
  const types: number[] = [];
  for (let at = 2; at + 4 <= body.length; at += 4) types.push(body.readInt32BE(at));
  prepared.types = types;
}
