/** What the client is told in place of an answer of the target's, so that its segments and its transaction end as they would without a gateway (P11, P12). */
import type { Refusal } from '#enforcers/common/refusal';
import type { Wire } from '#enforcers/common/socket';
import type { Judging } from './judging.ts';
import type { Line } from './line.ts';
import { B, ready, report, TRANSACTION } from './protocol.ts';
import { errorFields } from './words.ts';

export interface RefusingHost {
  readonly line: Line;
  readonly judging: Judging;
  readonly client: Wire;
}

export class Refusing {
  readonly #host: RefusingHost;
  /** Nothing more is read before the target has answered everything. */
  barrier = false;
  /** After an error: everything up to Sync is dropped. */
  discarding = false;

  constructor(host: RefusingHost) {
    this.#host = host;
  }

  /** A message of the extended protocol: its segment ends with it. */
  extended(why: Refusal): void {
    const { line, judging, client } = this.#host;
    const said = report(B.error, errorFields(why, 'ERROR'));
    // where the target drops everything already, nothing of ours would be answered
    if (this.discarding) client.write(said);
    else line.abort(said);
    judging.transaction.refuse();
    this.discarding = true;
  }

  simple(why: Refusal): void {
    const { line, judging, client } = this.#host;
    const said = report(B.error, errorFields(why, 'ERROR'));
    if (line.idle && !line.open && judging.transaction.none) {
      // nothing of it has reached the target, and nothing there has to be given up
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
}
