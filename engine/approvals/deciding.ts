/** A verdict: who may give it is verdict.ts', what it amounts to drafts.ts'. */
import type { ApprovalView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import type { Core } from './core.ts';
import { verdictEvents } from './drafts.ts';
import { SHOWN_BYTES_MAX } from './limits.ts';
import type { VerdictGiven } from './parts.ts';
import type { Entry } from './store.ts';
import { admitted } from './verdict.ts';

export async function decide(core: Core, approvalId: string, given: VerdictGiven): Promise<ApprovalView> {
  core.checkUsable();
  const entry = await core.foundSoon(approvalId);
  core.checkWords(given.comment);
  return core.guarded(async () => {
    await core.expireIfPast(entry);
    await core.prepare(entry);
    await core.store.serial.run(approvalId, () =>
      core.store.change(entry, (record) => {
        const place = admitted(record, given, core.clock, core.world(record));
        if (given.outcome === 'changes') checkReason(given.comment, 'say what to change: the requester reads it');
        checkSeen(entry, given);
        const judge = { chain: core.chain.bind(core), nowUs: core.clock.wallUs() };
        return verdictEvents(record, given, place, judge);
      }),
    );
    return core.view(entry);
  });
}

/** @throws InterlockError VERDICT_REASON */
export function checkReason(words: string | undefined, hint: string): void {
  if ((words ?? '').trim() === '') throw new InterlockError('VERDICT_REASON', 'this needs words', { hint });
}

/** Why the whole of it cannot be put before a reviewer; null: it can. Then nobody approves it: nothing that is cut off runs. */
export function whyNotShown({ bound, record }: Entry): string | null {
  if (!bound) return 'its text is not kept in clear';
  if (record.payload.bytes > SHOWN_BYTES_MAX) return `its text has ${record.payload.bytes} bytes, more than the ${SHOWN_BYTES_MAX} that are shown`;
  if ((record.params?.bytes ?? 0) > SHOWN_BYTES_MAX) {
    return `its parameters have ${record.params?.bytes} bytes, more than the ${SHOWN_BYTES_MAX} that are shown`;
  }
  return null;
}

const PREFIX_DIGITS_MIN = 12;

function checkSeen(entry: Entry, { outcome, seen }: VerdictGiven): void {
  const whyNot = outcome === 'approve' ? whyNotShown(entry) : null;
  if (whyNot !== null) throw new InterlockError('VERDICT_NOT_SHOWN', `nobody can approve what cannot be shown whole: ${whyNot}`);
  if (seen === undefined) return;
  const digits = seen.replace(/^sha256:/, '').toLowerCase();
  const own = entry.record.binding.payload.slice('sha256:'.length);
  if (digits.length >= PREFIX_DIGITS_MIN && own.startsWith(digits)) return;
  throw new InterlockError('VERDICT_UNSEEN', 'what you were shown is not what this request holds', {
    hint: `look at it again; its digest begins with ${own.slice(0, PREFIX_DIGITS_MIN)}`,
  });
}
