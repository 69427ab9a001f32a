/**
 * Parts that are built wrong, for the checks to find. The product has no switch for any of it: they are methods replaced in the process of
 * test/chaos/gateway.ts, or a file layer that it hands to the composition root.
 */
import { syncBuiltinESMExports } from 'node:module';
import { Socket } from 'node:net';
import tls from 'node:tls';
import { Book } from '#engine/approvals/book';
import { LocalSession } from '#engine/decide/decision-session';
import { MirroredJournal } from '#engine/journal/archive/mirrored-journal';
import type { Decided } from '#client/decision-service';

/** An approval that is never used up. */
export function consumeAlways(): void {
  Book.prototype.consume = (approvalId, { nonce }) => Promise.resolve({ approvalId, receipt: `made up for ${nonce}` });
}

/** What comes for the archive's files is said to be written, and is not. */
export function swallowRuns(): void {
  MirroredJournal.prototype.take = () => Promise.resolve({ kind: 'written', records: 1 });
}

/** Whatever policy says, it is an allow. */
export function ignoreDenials(): void {
  otherwise((decided) => (decided.decision.effect === 'deny' ? allowed(decided) : decided));
}

/** What needs another person runs without. */
export function ignoreApprovals(): void {
  otherwise((decided) => (decided.decision.effect === 'require_approval' ? allowed(decided) : decided));
}

/** The text goes to the target as it was asked, and its rows come back. */
export function ignoreMasks(): void {
  otherwise((decided) => (decided.rewrite === null ? decided : { ...allowed(decided), rewrite: null }));
}

/** The client hears that its transaction is over, and it was undone. */
export function undoCommits(): void {
  const text = Buffer.from('ROLLBACK');
  otherwise((decided, asked) => (asked === 'COMMIT' ? { ...decided, rewrite: { text, masked: [], toOriginal: (offset) => offset } } : decided));
}

/** An enforcer that lost its engine waits for ever. */
export function dialOnce(): void {
  const connect = tls.connect;
  let dialled = 0;
  tls.connect = ((options: tls.ConnectionOptions) => (dialled++ === 0 ? connect(options) : new tls.TLSSocket(new Socket()))) as typeof tls.connect;
  syncBuiltinESMExports();
}

function otherwise(change: (decided: Decided, text: string) => Decided): void {
  const decide = Reflect.get(LocalSession.prototype, 'decide') as LocalSession['decide'];
  LocalSession.prototype.decide = function (statement, moment) {
    const text = Buffer.from(statement.text).toString();
    const decided = Reflect.apply(decide, this, [statement, moment]);
    return decided instanceof Promise ? decided.then((done) => change(done, text)) : change(decided, text);
  };
}

function allowed(decided: Decided): Decided {
  const { decision } = decided;
  return { ...decided, decision: { ...decision, effect: 'allow', obligations: decision.obligations.filter(({ type }) => type !== 'mask') } };
}
