/**
 * The target's side of the data phase: knows message boundaries and what each answer belongs to, passes rows on as slices of the read
 * buffer and allocates nothing for them (DESIGN §8).
 */
import { LIMITS } from '#enforcers/common/limits';
import { InterlockError } from '#schemas/errors';
import { cannedReport } from './canned.ts';
import type { Change, Expected, FinishOutcome, Queue, Running } from './expected.ts';
import { withoutOurCodes } from './our-codes.ts';
import { B, ready, readFields, report, TRANSACTION } from './protocol.ts';

/** What the session learns of the answers. */
export interface ReplySink {
  finished(running: Running, outcome: FinishOutcome): void;
  /** ReadyForQuery, after its answer was taken off the queue; answers the status that the client is told, 0: nothing. */
  ready(status: number, segment: number): number;
  /** The target ignores everything until Sync, and no Sync is on its way. */
  skipping(): void;
  /** A parameter changed; answers what the client is told, null: nothing. */
  parameter(name: string, value: string): string | null;
  /** Error and notice texts are withheld (M14). */
  canned(): boolean;
  /** The target asks for COPY data that nobody may send. */
  copyIn(): void;
}

/** Where the answers go: the client's wire, or what keeps them back for a while. */
export interface Sink {
  write(bytes: Uint8Array): void;
}

const HEADER = 5;
const NOTHING = Buffer.alloc(0);
const PASS = Symbol('pass');

export class Replies {
  readonly expected: Queue<Expected>;
  #client: Sink;
  readonly #sink: ReplySink;
  /** Start of a message that is not whole yet; never of a row whose header is known. */
  #carry: Buffer = NOTHING;
  /** Bytes of a row that are still to come, and whether they are passed on. */
  #rowRest = 0;

  /** The target has said why it ends. */
  fatal = false;

  constructor(client: Sink, expected: Queue<Expected>, sink: ReplySink) {
    this.expected = expected;
    this.#client = client;
    this.#sink = sink;
  }

  /** From here on the answers go there. */
  divert(to: Sink): void {
    this.#client = to;
  }

  /** @throws InterlockError when the target does not keep to the protocol: the session ends. */
  take(data: Buffer): void {
    const chunk = this.#carry.length === 0 ? data : Buffer.concat([this.#carry, data]);
    this.#carry = NOTHING;
    let at = Math.min(this.#rowRest, chunk.length);
    this.#rowRest -= at;
    let passFrom = 0;
    while (at + HEADER <= chunk.length) {
      const type = chunk[at] as number;
      const size = chunk.readInt32BE(at + 1) + 1;
      if (size < HEADER) throw strange('a length below 4');
      if (type === B.dataRow || type === B.copyData) {
        const running = this.#expectRows(type);
        if (running !== null) {
          running.rows++;
          running.bytes += size;
          at += size;
          if (at > chunk.length) {
            this.#rowRest = at - chunk.length;
            at = chunk.length;
          }
          continue;
        }
      }
      if (size > LIMITS.targetMessageBytes) throw strange('a message longer than the limit');
      if (at + size > chunk.length) break;
      const instead = this.#message(type, chunk, at, size);
      if (instead !== PASS) {
        if (at > passFrom) this.#client.write(chunk.subarray(passFrom, at));
        if (instead.length > 0) this.#client.write(instead);
        passFrom = at + size;
      }
      at += size;
    }
    if (at > passFrom) this.#client.write(passFrom === 0 && at === chunk.length ? chunk : chunk.subarray(passFrom, at));
    if (at < chunk.length) this.#carry = chunk.subarray(at);
  }

  /** The connection is gone: nothing of what was sent will be answered. */
  lost(): void {
    for (let entry = this.expected.shift(); entry; entry = this.expected.shift()) {
      if (entry.running) this.#sink.finished(entry.running, 'unknown');
      entry.own?.done(false);
    }
  }

  /** null: rows of the gateway's own query. */
  #expectRows(type: number): Running | null {
    const head = this.expected.first();
    if (head?.running && (head.kind === 'execute' || head.kind === 'query')) return head.running;
    if (head?.own && type === B.dataRow) return null;
    throw strange('rows that nobody asked for');
  }

  /** PASS, or what goes to the client instead. */
  #message(type: number, chunk: Buffer, at: number, size: number): Buffer | typeof PASS {
    switch (type) {
      case B.bindComplete:
        return this.#confirmed('bind');
      case B.commandComplete:
        return this.#completed(chunk, at, size);
      case B.ready:
        return this.#ready(chunk, at, size);
      case B.parseComplete:
        return this.#confirmed('parse');
      case B.closeComplete:
        return this.#confirmed('close');
      case B.rowDescription:
      case B.noData:
        return this.#described(type);
      case B.parameterDescription:
        return this.#parameters(chunk, at, size);
      case B.emptyQuery:
      case B.portalSuspended:
        return this.#ended(type);
      case B.copyOut:
      case B.copyDone:
        return this.#copying();
      case B.error:
        return this.#error(chunk.subarray(at + HEADER, at + size));
      case B.notice:
        return this.#notice(chunk.subarray(at + HEADER, at + size));
      case B.parameterStatus:
        return this.#parameter(chunk.subarray(at + HEADER, at + size));
      case B.dataRow:
        return this.#ownRow(chunk.subarray(at + HEADER, at + size));
      case B.notification:
        return NOTHING; // M15: LISTEN is not supported, so nobody asked for it
      case B.copyIn:
        this.#sink.copyIn();
        return NOTHING;
      default:
        throw strange(`a message of type ${String.fromCharCode(type)}`);
    }
  }

  #confirmed(kind: 'parse' | 'bind' | 'close'): Buffer | typeof PASS {
    const entry = this.#take(kind);
    entry.change?.confirm();
    if (entry.running) this.#sink.finished(entry.running, 'ok');
    return entry.own ? this.#own(entry) : PASS;
  }

  #completed(chunk: Buffer, at: number, size: number): Buffer | typeof PASS {
    const head = this.expected.first();
    if (head?.own) return this.#own(this.#take('own'));
    const tag = chunk.toString('latin1', at + HEADER, at + size - 1);
    if (head?.kind === 'query' && head.running) {
      head.running.tag = tag;
      head.running.bytes += size;
      head.running.done?.();
      return PASS;
    }
    const { running } = this.#take('execute');
    if (running) {
      running.tag = tag;
      running.bytes += size;
      running.done?.();
      this.#sink.finished(running, 'ok');
    }
    return PASS;
  }

  #ready(chunk: Buffer, at: number, size: number): Buffer | typeof PASS {
    const entry = this.expected.first();
    if (!entry || (entry.kind !== 'sync' && entry.kind !== 'query') || size !== 6) throw strange('ReadyForQuery out of order');
    this.expected.shift();
    const status = chunk[at + HEADER] as number;
    if (status !== TRANSACTION.idle && status !== TRANSACTION.open && status !== TRANSACTION.failed) throw strange('an unknown transaction state');
    if (entry.running) this.#sink.finished(entry.running, entry.running.sqlstate === null ? 'ok' : 'error');
    const told = this.#sink.ready(status, entry.segment);
    if (entry.own) {
      entry.own.done(true);
      return NOTHING;
    }
    if (told === status) return PASS;
    return told === 0 ? NOTHING : ready(told);
  }

  #described(type: number): Buffer | typeof PASS {
    const head = this.expected.first();
    if (head?.kind === 'describe') this.expected.shift();
    else if (head?.own) return NOTHING;
    else if (head?.kind !== 'query' || type === B.noData) throw strange('a description that nobody asked for');
    return PASS;
  }

  #parameters(chunk: Buffer, at: number, size: number): typeof PASS {
    const head = this.expected.first();
    if (head?.kind !== 'describe') throw strange('a description that nobody asked for');
    head.parameters?.(chunk.subarray(at + HEADER, at + size));
    return PASS;
  }

  #ended(type: number): typeof PASS {
    if (this.expected.first()?.kind === 'query') {
      if (type === B.portalSuspended) throw strange('a suspended portal without Execute');
      return PASS;
    }
    const { running } = this.#take('execute');
    if (running) this.#sink.finished(running, 'ok');
    return PASS;
  }

  #copying(): typeof PASS {
    const kind = this.expected.first()?.kind;
    if (kind !== 'execute' && kind !== 'query') throw strange('COPY that nobody asked for');
    return PASS;
  }

  #error(body: Buffer): Buffer | typeof PASS {
    const fields = readFields(body);
    const severity = fields['V'] ?? fields['S'] ?? 'ERROR';
    const head = this.expected.first();
    this.fatal ||= severity === 'FATAL' || severity === 'PANIC';
    if (this.fatal || !head) return this.#say(B.error, fields, head?.running ?? null);
    if (head.running) head.running.sqlstate = fields['C'] ?? 'XX000';
    head.own?.failed?.(fields);
    const said = head.instead ?? (head.own ? NOTHING : this.#say(B.error, fields, head.running));
    if (head.kind !== 'query' && head.kind !== 'sync') this.#skipToSync();
    return said;
  }

  /** After an error the target ignores everything up to Sync; so does everybody here. */
  #skipToSync(): void {
    let first = true;
    const changes: Change[] = [];
    for (let entry = this.expected.first(); entry && entry.kind !== 'sync'; entry = this.expected.first()) {
      this.expected.shift();
      if (entry.change) changes.push(entry.change);
      entry.own?.done(false);
      if (entry.running) this.#sink.finished(entry.running, first ? 'error' : 'aborted');
      first = false;
    }
    // the last change first: each takes back what it finds as it left it
    if (this.expected.length === 0) this.#sink.skipping();
    for (const change of changes.toReversed()) change.revert();
  }

  #notice(body: Buffer): Buffer | typeof PASS {
    return this.#say(B.notice, readFields(body), this.expected.first()?.running ?? null);
  }

  #say(type: typeof B.error | typeof B.notice, fields: Record<string, string>, running: Running | null): Buffer | typeof PASS {
    const canned = this.#sink.canned();
    const moved = running?.toOriginal ? movedPosition(fields, running) : null;
    const disowned = withoutOurCodes(moved ?? fields);
    if (!canned && moved === null && disowned === null) return PASS;
    const told = disowned ?? moved ?? fields;
    return report(type, canned ? cannedReport(told) : told);
  }

  #parameter(body: Buffer): Buffer | typeof PASS {
    const nul = body.indexOf(0);
    const name = body.toString('utf8', 0, nul);
    const value = body.toString('utf8', nul + 1, body.length - 1);
    const told = this.#sink.parameter(name, value);
    if (told === value) return PASS;
    return told === null ? NOTHING : statusMessage(name, told);
  }

  #ownRow(body: Buffer): Buffer {
    const length = body.readInt32BE(2);
    this.expected.first()?.own?.row(length < 0 ? null : body.toString('utf8', 6, 6 + length));
    return NOTHING;
  }

  #own(entry: Expected): Buffer {
    entry.own?.done(true);
    return NOTHING;
  }

  #take(kind: Expected['kind']): Expected {
    const entry = this.expected.first();
    if (!entry || (entry.kind !== kind && entry.kind !== 'own')) throw strange(`an answer to ${kind} out of order`);
    this.expected.shift();
    return entry;
  }
}

function strange(what: string): InterlockError {
  return new InterlockError('TARGET_UNREACHABLE', `the target does not keep to the protocol: ${what}`);
}

/** Positions count characters of the text that was sent; the client wrote another. */
function movedPosition(fields: Record<string, string>, running: Running): Record<string, string> {
  const { P: position, ...rest } = fields;
  if (position === undefined || running.toOriginal === null) return rest;
  const sent = Buffer.from(running.text).toString();
  const offset = Buffer.byteLength(
    Array.from(sent)
      .slice(0, Number(position) - 1)
      .join(''),
  );
  const original = running.toOriginal(offset);
  return original === null ? rest : { ...rest, P: String(original + 1) };
}

function statusMessage(name: string, value: string): Buffer {
  const body = Buffer.from(`${name}\0${value}\0`);
  const bytes = Buffer.allocUnsafe(body.length + HEADER);
  bytes[0] = B.parameterStatus;
  bytes.writeInt32BE(body.length + 4, 1);
  body.copy(bytes, HEADER);
  return bytes;
}
