/** What the client is told in place of an answer of the target's, so that its segments and its transaction end as they would without a gateway (P11, P12). */
import type { Refusal } from '#enforcers/common/refusal';
import type { Wire } from '#enforcers/common/socket';
import type { Expected } from './expected.ts';
import type { Judging } from './judging.ts';
import type { Line } from './line.ts';
import type { Outcomes } from './outcomes.ts';
import { B, ready, report, TRANSACTION } from './protocol.ts';
import { errorFields } from './words.ts';

export interface RefusingHost {
  readonly line: Line;
  readonly judging: Judging;
  readonly outcomes: Outcomes;
  readonly client: Wire;
}

export class Refusing {
  readonly #host: RefusingHost;
  /** Nothing more is read before the target has answered everything. */
  barrier = false;
  /** After an error: everything up to Sync is dropped. */
  discarding = false;
  /** ReadyForQuery said last. */
  status: number = TRANSACTION.idle;
  /** Nothing of the segment has reached the target: its Sync is answered here too. */
  #here = false;

  constructor(host: RefusingHost) {
    this.#host = host;
  }

  /** A message of the extended protocol: its segment ends with it. */
  extended(why: Refusal): void {
    const { line, judging, client } = this.#host;
    // the parameters of what is refused never leave
    this.#takeBack(line.dropDeferred());
    const said = report(B.error, errorFields(why, 'ERROR'));
    // where the target drops everything already, nothing of ours would be answered
    if (this.discarding || this.#nothingThere) client.write(said);
    else line.abort(said);
    this.#here ||= !this.discarding && this.#nothingThere;
    judging.transaction.refuse();
    this.discarding = true;
  }

  /** The target drops everything up to Sync: so do we, parameters that have not left among it. */
  skips(): void {
    this.#takeBack(this.#host.line.dropDeferred());
    this.discarding = true;
  }

  simple(why: Refusal): void {
    const { line, judging, client } = this.#host;
    const said = report(B.error, errorFields(why, 'ERROR'));
    if (this.#nothingThere) {
      client.write(said);
      client.write(ready(TRANSACTION.idle));
      return;
    }
    line.abort(said);
    line.sync();
    judging.transaction.refuse();
    judging.transaction.segmentEnds();
    this.barrier = true;
  }

  /**
   * What waited for its intents to be durable, and everything behind it: nothing of it leaves. The client is told once for each of its segments,
   * and the session goes on. Where the target has nothing to give up it hears nothing.
   */
  withdraw(why: Refusal): void {
    const { line, judging, client } = this.#host;
    const withdrawn = line.withdraw();
    this.#takeBack(withdrawn);
    const here = line.idle && !line.open && this.status === TRANSACTION.idle;
    for (const { said, ends } of segmentsOf(withdrawn, report(B.error, errorFields(why, 'ERROR')))) {
      if (here) {
        if (said !== null) client.write(said);
        if (ends) client.write(ready(TRANSACTION.idle));
      } else {
        if (said !== null) line.abort(said);
        if (ends) line.sync();
      }
      this.discarding = !ends;
      this.#here = here && !ends;
    }
    judging.transaction.segmentEnds();
    if (here) return judging.settle(TRANSACTION.idle);
    judging.transaction.refuse();
    this.barrier = true;
  }

  /** The client's Sync. False: it is for the target. */
  ends(): boolean {
    if (!this.#here) return false;
    this.#here = false;
    this.discarding = false;
    this.#host.client.write(ready(TRANSACTION.idle));
    return true;
  }

  /** Nothing of what the client says has reached the target, and nothing there has to be given up. */
  get #nothingThere(): boolean {
    const { line, judging } = this.#host;
    return line.idle && !line.open && this.status === TRANSACTION.idle && judging.transaction.none;
  }

  #takeBack(withdrawn: readonly Expected[]): void {
    for (const { running, own } of withdrawn) {
      own?.done(false);
      if (running) this.#host.outcomes.finished(running, 'aborted');
    }
    // the last change first: each takes back what it finds as it left it
    for (const { change } of withdrawn.toReversed()) change?.revert();
  }
}

interface Segment {
  /** null: nothing but its end was withdrawn. */
  readonly said: Buffer | null;
  /** By Sync, or as a Query; else the client has not ended it yet. */
  readonly ends: boolean;
}

/** What stood first in a segment says why it is refused: `refused`, or what was refused for a reason of its own. */
function segmentsOf(withdrawn: readonly Expected[], refused: Buffer): Segment[] {
  const segments: Segment[] = [];
  let said: Buffer | null = null;
  for (const { kind, own, instead } of withdrawn) {
    if (own !== null) continue;
    if (kind !== 'sync') said ??= instead ?? refused;
    if (kind !== 'sync' && kind !== 'query') continue;
    segments.push({ said, ends: true });
    said = null;
  }
  return said === null ? segments : [...segments, { said, ends: false }];
}
