/** After a start: what the journal tells, what the process before could not finish, and what ended while nobody watched. */
import { joinKey } from './binding.ts';
import type { Core } from './core.ts';
import { isPast, parseUs } from './deadline.ts';
import { conclusion } from './drafts.ts';
import { isLive } from './fold.ts';
import { payersOf } from './quota.ts';
import type { Glass } from './record.ts';
import { type Entry, sizeOf } from './store.ts';

export async function restore(core: Core, entries: readonly Entry[]): Promise<void> {
  for (const entry of entries) {
    const { record } = entry;
    core.store.put(entry);
    core.followers.restore(entry);
    if (isLive(record)) core.quota.add(payersOf(record.subject, record.binding.settings), sizeOf(entry));
    if (entry.bound && isLive(record)) core.joinable.set(joinKey(entry.bound), record.approvalId);
    if (record.state === 'denied' || record.state === 'changes_requested') core.denials.restore(entry, core.ticket(entry));
  }
  for (const entry of entries) await finish(core, entry);
}

/** After what the log of all engines told: others live on, so only what is this engine's alone to end is ended. */
/** @param forgotten those of which the stream lost something that this engine has recorded: it may have been a use, so they give nothing any more */
export async function resume(core: Core, forgotten: ReadonlySet<string>): Promise<void> {
  const entries = [...core.store.all()];
  for (const entry of entries) {
    const { state } = entry.record;
    core.followers.restore(entry);
    if (state === 'denied' || state === 'changes_requested') core.denials.restore(entry, core.ticket(entry));
  }
  for (const entry of entries) {
    if (!isLive(entry.record)) continue;
    if (forgotten.has(entry.record.approvalId)) await core.settle(entry, 'superseded', { detail: FORGOTTEN });
    else if (!entry.bound && entry.here) await core.settle(entry, 'superseded', { detail: NO_TEXT });
  }
}

const FORGOTTEN = 'the engines’ log lost a part of its history';
const NO_TEXT = 'its text is not kept in clear, so nobody can decide on it after a restart';

async function finish(core: Core, entry: Entry): Promise<void> {
  const { record } = entry;
  if (!isLive(record)) return;
  if (!entry.bound) return core.settle(entry, 'superseded', { detail: NO_TEXT });
  if (isPast(core.clock, entry.deadline)) return core.settle(entry, 'expired');
  if (record.state !== 'open') return;
  if (record.glass) return concludeGlass(core, entry, record.glass);
  const verdict = record.verdicts.at(-1);
  if (!verdict) return;
  await core.prepare(entry);
  const { serial } = core.store;
  await serial.run(record.approvalId, () => core.store.change(entry, (now) => conclusion(now, core.chain.bind(core), parseUs(verdict.time))));
  await core.expireIfPast(entry);
}

/** The broken glass was durable before the approval that it is. */
async function concludeGlass(core: Core, entry: Entry, { by, rule, validUntil }: Glass): Promise<void> {
  await core.settle(entry, 'approved', { by: by.properties.login, detail: `glass broken by rule ${rule}`, validUntil });
  await core.expireIfPast(entry);
}
