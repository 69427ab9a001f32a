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
    await finish(core, entry);
  }
}

async function finish(core: Core, entry: Entry): Promise<void> {
  const { record } = entry;
  if (!isLive(record)) return;
  if (!entry.bound) return core.settle(entry, 'superseded', { detail: 'its text is not kept in clear, so nobody can decide on it after a restart' });
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
