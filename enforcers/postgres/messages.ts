/** The client's messages, one method each: what they mean in the session's namespace, and what goes upstream for them. */
import type { Asked } from '#enforcers/common/asked';
import type { ClearedStatement, Outcome, Use } from '#enforcers/common/cleared';
import { LIMITS } from '#enforcers/common/limits';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { InterlockError } from '#schemas/errors';
import { latin1, readBind } from './bind.ts';
import { expect, type Change, type Expected } from './expected.ts';
import { forgetText, readForget } from './forget.ts';
import type { Frames } from './frames.ts';
import type { Judging } from './judging.ts';
import type { Line } from './line.ts';
import type { Approved } from './look-again.ts';
import { Names, PrivateNames, type Portal, type Prepared } from './namespace.ts';
import type { Outcomes } from './outcomes.ts';
import { F, message } from './protocol.ts';
import { PROTOCOL } from './support.ts';
import { Texts } from './texts.ts';
import { traitsOf, type Traits } from './traits.ts';
import { malformed, unknownName, unsupported } from './words.ts';

/** What the messages need of their session. */
export interface MessageHost {
  readonly frames: Frames;
  readonly line: Line;
  readonly judging: Judging;
  /** Enforces, and goes on with the outcome, at once or when it is there. */
  enforce(asked: Asked, next: (outcome: Outcome) => void): void;
  /** Runs what somebody approved, in a transaction where it writes. */
  approved(use: Use, cleared: ClearedStatement, message: 'query' | 'execute', send: Approved['send']): void;
  /** Ends the segment: one error, and what follows up to Sync is dropped. */
  refuseExtended(why: Refusal): void;
  refuseSimple(why: Refusal): void;
  /** The client does not keep to the protocol: the session ends. */
  broken(why: Refusal): void;
  /** The current message is taken again once the target has answered everything. */
  again(): void;
  readonly outcomes: Outcomes;
}

const HEADER = 5;
const NUL = Buffer.of(0);

export class Messages {
  readonly #host: MessageHost;
  readonly #names: PrivateNames = new PrivateNames();
  readonly #texts: Texts = new Texts();
  readonly #prepared: Names<Prepared> = new Names();
  readonly #portals: Names<Portal> = new Names();

  constructor(host: MessageHost) {
    this.#host = host;
  }

  /** Portals end with their transaction. */
  transactionEnded(segment: number): void {
    this.#portals.dropUpTo(segment - 1);
  }

  query(): void {
    const { frames, judging } = this.#host;
    const { buffer, start, end } = frames;
    const nul = buffer.indexOf(0, start + HEADER);
    if (nul !== end - 1) return this.#host.broken(malformed());
    const payload = this.#texts.of(buffer, start + HEADER, nul);
    const text = payload.bytes;
    const frame = buffer.subarray(start, end);
    const asked = judging.simple(payload);
    this.#host.enforce(asked, (outcome) => {
      if (outcome.refused) return this.#host.refuseSimple(outcome);
      const traits = traitsOf(outcome.statement);
      const sent = this.#sent(outcome, text, traits);
      if ('refused' in sent) return this.#host.refuseSimple(sent);
      // a simple Query ends the unnamed statement and portal
      const unnamed = this.#prepared.delete('');
      this.#portals.delete('');
      const change = unnamed === null ? null : taken(this.#prepared, '', null, unnamed);
      const bytes = sent === text ? frame : message(F.query, sent, NUL);
      const running = this.#host.outcomes.running(outcome, sent, this.#forgets(text, traits));
      if (outcome.use === null) return this.#sendQuery(outcome, bytes, { running, change }, asked);
      this.#host.approved(outcome.use, outcome, 'query', (controlled) => {
        const mine = { ...running, controlled };
        this.#sendQuery(outcome, bytes, { running: mine, change }, asked);
        return mine;
      });
    });
  }

  #sendQuery(cleared: ClearedStatement, bytes: Uint8Array, given: Partial<Expected>, asked: Asked): void {
    const { judging, line } = this.#host;
    line.query(cleared, bytes, given);
    judging.sent(traitsOf(cleared.statement), asked);
    judging.transaction.segmentEnds();
  }

  /** name:String text:String n:Int16 type:Int32[n] */
  parse(): void {
    const { frames, judging, line } = this.#host;
    const { buffer, start, end } = frames;
    const nameEnd = buffer.indexOf(0, start + HEADER);
    const textEnd = nameEnd < 0 ? -1 : buffer.indexOf(0, nameEnd + 1);
    if (textEnd < 0 || textEnd + 3 > end || textEnd + 3 + 4 * buffer.readUInt16BE(textEnd + 1) !== end) return this.#host.broken(malformed());
    const key = buffer.toString('latin1', start + HEADER, nameEnd);
    if (key.length > LIMITS.nameBytes) return this.#host.refuseExtended(unsupported(PROTOCOL.longName));
    if (this.#prepared.full(key, LIMITS.preparedPerSession)) return this.#host.refuseExtended(refusal('BUDGET_PREPARED'));
    const types: number[] = [];
    for (let at = textEnd + 3; at < end; at += 4) types.push(buffer.readInt32BE(at));
    const payload = this.#texts.of(buffer, nameEnd + 1, textEnd);
    const text = payload.bytes;
    const frame = buffer.subarray(start, end);
    this.#host.enforce(judging.prepare(payload), (outcome) => {
      if (outcome.refused) return this.#host.refuseExtended(outcome);
      const sent = this.#sent(outcome, text, traitsOf(outcome.statement));
      if ('refused' in sent) return this.#host.refuseExtended(sent);
      const { settings, epoch } = judging;
      const prepared: Prepared = {
        payload,
        sent,
        types,
        statement: outcome.statement,
        settings,
        epoch,
        segment: line.segment,
        confirmed: false,
      };
      this.#names.apply(frame, HEADER, HEADER + key.length);
      const bytes =
        sent === text ? frame : message(F.parse, frame.subarray(HEADER, HEADER + key.length), NUL, sent, NUL, frame.subarray(textEnd + 1 - start));
      const running = this.#host.outcomes.running(outcome, sent, null);
      line.stage(outcome, expect('parse', line.segment, { running, change: define(this.#prepared, key, prepared) }), bytes);
    });
  }

  bind(): void {
    const { frames, judging, line } = this.#host;
    const { buffer, start, end } = frames;
    const bind = readBind(buffer, start + HEADER, end);
    if (bind === null) return this.#host.broken(malformed());
    const prepared = this.#prepared.get(bind.statement);
    if (!prepared) return this.#host.refuseExtended(unknownName('prepared statement', bind.statement));
    if (this.#unsettled(prepared)) return;
    if (bind.portal.length > LIMITS.nameBytes) return this.#host.refuseExtended(unsupported(PROTOCOL.longName));
    if (this.#portals.full(bind.portal, LIMITS.portalsPerSession)) return this.#host.refuseExtended(refusal('BUDGET_PREPARED'));
    if (line.deferring >= LIMITS.deferredMessages) return this.#host.refuseExtended(refusal('BUDGET_SEGMENT'));
    const raw = bind.count === 0 ? null : buffer.subarray(bind.paramsAt, bind.paramsEnd);
    const portal: Portal = {
      prepared,
      // a named portal lives long; it must not keep the whole read buffer with it
      params: raw !== null && bind.portal !== '' ? Buffer.from(raw) : raw,
      settings: judging.settings,
      works: judging.transaction.works,
      segment: line.segment,
      confirmed: false,
      approval: null,
    };
    this.#names.apply(buffer, bind.portalAt, bind.portalAt + bind.portal.length);
    this.#names.apply(buffer, bind.statementAt, bind.statementAt + bind.statement.length);
    line.defer(expect('bind', line.segment, { change: define(this.#portals, bind.portal, portal) }), buffer, start, end);
  }

  /** portal:String rows:Int32 */
  execute(): void {
    const { frames, judging, line } = this.#host;
    const { buffer, start, end } = frames;
    const nameEnd = buffer.indexOf(0, start + HEADER);
    if (nameEnd < 0 || nameEnd + 5 !== end) return this.#host.broken(malformed());
    const key = latin1(buffer, start + HEADER, nameEnd);
    const portal = this.#portals.get(key);
    if (!portal) return this.#host.refuseExtended(unknownName('portal', key));
    if (this.#unsettled(portal)) return;
    const { prepared } = portal;
    if (!judging.reads(portal)) return this.#host.refuseExtended(refusal('PREPARED_STALE'));
    const asked = judging.execute(portal, buffer.readInt32BE(nameEnd + 1));
    this.#host.enforce(asked, (outcome) => {
      if (outcome.refused) return this.#host.refuseExtended(outcome);
      const traits = traitsOf(outcome.statement);
      if (!this.#stands(outcome, prepared, traits)) {
        this.#host.outcomes.withheld(outcome);
        return this.#host.refuseExtended(refusal('PREPARED_STALE'));
      }
      if (asked.known === null) judging.learned(prepared, outcome.statement);
      portal.approval = outcome.approval;
      this.#names.apply(buffer, start + HEADER, nameEnd);
      const running = this.#host.outcomes.running(outcome, prepared.sent, this.#forgets(prepared.payload.bytes, traits));
      if (outcome.use === null) {
        line.stage(outcome, expect('execute', line.segment, { running }), buffer, start, end);
        judging.sent(traits, asked);
        return;
      }
      this.#host.approved(outcome.use, outcome, 'execute', (controlled) => {
        const mine = { ...running, controlled };
        line.stage(outcome, expect('execute', line.segment, { running: mine }), buffer, start, end);
        judging.sent(traits, asked);
        return mine;
      });
    });
  }

  describe(): void {
    const named = this.#named();
    if (named === null) return this.#host.broken(malformed());
    const { of, key } = named;
    const prepared = of === 'prepared statement' ? this.#prepared.get(key) : undefined;
    const subject = prepared ?? (of === 'portal' ? this.#portals.get(key) : undefined);
    if (!subject) return this.#host.refuseExtended(unknownName(of, key));
    if (this.#unsettled(subject)) return;
    const { line } = this.#host;
    const entry = prepared
      ? expect('describe', line.segment, { parameters: (body) => learnTypes(prepared, body) })
      : expect('describe', line.segment);
    this.#passNamed(entry, key);
  }

  close(): void {
    const named = this.#named();
    if (named === null) return this.#host.broken(malformed());
    const { of, key } = named;
    const change = of === 'portal' ? forget(this.#portals, key) : forget(this.#prepared, key);
    this.#passNamed(expect('close', this.#host.line.segment, { change }), key);
  }

  #passNamed(entry: Expected, key: string): void {
    const { frames, line } = this.#host;
    const { buffer, start, end } = frames;
    this.#names.apply(buffer, start + HEADER + 1, start + HEADER + 1 + key.length);
    line.passBehind(entry, buffer, start, end);
  }

  /** `S` or `P`, and a name: Describe and Close. */
  #named(): { readonly of: 'prepared statement' | 'portal'; readonly key: string } | null {
    const { buffer, start, end } = this.#host.frames;
    const kind = buffer[start + HEADER];
    const nul = buffer.indexOf(0, start + HEADER + 1);
    if ((kind !== 83 && kind !== 80) || nul !== end - 1) return null;
    return { of: kind === 83 ? 'prepared statement' : 'portal', key: latin1(buffer, start + HEADER + 1, nul) };
  }

  /**
   * A name that an earlier segment defined and that the target has not confirmed may mean another thing there, if that segment failed:
   * the message waits for the answers. Within one segment an error makes the target drop the message too.
   */
  #unsettled(subject: Prepared | Portal): boolean {
    const { line } = this.#host;
    if (subject.confirmed || subject.segment === line.segment) return false;
    if (line.idle) throw new InterlockError('INTERNAL', 'a name was neither confirmed nor taken back');
    this.#host.again();
    return true;
  }

  /** Whether what stands at the target under the name is what the decision says should run. */
  #stands(outcome: ClearedStatement, prepared: Prepared, traits: Traits): boolean {
    if (outcome.rewrite) return Buffer.compare(outcome.rewrite.text, prepared.sent) === 0;
    return prepared.sent === prepared.payload.bytes || traits.forgetsName;
  }

  /** What goes upstream for a text: itself, its masked form, or with the private name of what it deallocates. */
  #sent(cleared: ClearedStatement, text: Uint8Array, traits: Traits): Uint8Array | Refusal {
    if (cleared.rewrite) return cleared.rewrite.text;
    if (!traits.forgetsName) return text;
    const what = readForget(text);
    if (what !== null) return what.name === null ? text : forgetText(what, this.#names);
    this.#host.outcomes.withheld(cleared);
    return unsupported(PROTOCOL.deallocateForm);
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
}

interface Named {
  readonly segment: number;
  confirmed: boolean;
}

function define<T extends Named>(names: Names<T>, key: string, after: T): Change {
  const before = names.set(key, after);
  return {
    confirm: () => {
      after.confirmed = true;
    },
    // the unnamed one is gone, whatever came of the new one
    revert: () => names.revert(key, after, key === '' ? null : before),
  };
}

function forget<T extends Named>(names: Names<T>, key: string): Change | null {
  const before = names.delete(key);
  return before === null ? null : taken(names, key, null, before);
}

function taken<T extends Named>(names: Names<T>, key: string, after: T | null, before: T): Change {
  return { confirm: () => {}, revert: () => names.revert(key, after, before) };
}

/** ParameterDescription: Int16 count, then an Int32 oid each. */
function learnTypes(prepared: { types: readonly number[] }, body: Buffer): void {
  const types: number[] = [];
  for (let at = 2; at + 4 <= body.length; at += 4) types.push(body.readInt32BE(at));
  prepared.types = types;
}
