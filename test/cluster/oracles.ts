/** What must hold when it is over: what the relay saw, what nine journals say, and what clients were told, held together. */
import { createPublicKey } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { toldKey } from '#engine/journal/archive/journal-keys';
import { exportJournal } from '#engine/journal/export';
import { journalIdIn } from '#engine/journal/journal-id';
import { verifyJournal } from '#engine/journal/verify';
import type { Cluster, Member } from '#test/support/cluster';
import { until } from '#test/support/nats';
import { checkRound, type Check as RoundCheck, type Recorded, recordedIn, seenAtTarget } from '../chaos/checks.ts';
import type { Operation } from '../chaos/workload.ts';

export type Check =
  | RoundCheck
  | 'engines agree'
  | 'only clean errors'
  | 'a statement is answered'
  | 'a drained process ends well'
  | 'the mirrors verify signatures';
export interface Finding {
  readonly check: Check;
  readonly detail: string;
}

const ARCHIVED_MS = 30_000;

export interface Judged {
  readonly findings: readonly Finding[];
  /** Marked statements that the relay saw. */
  readonly at_target: number;
  /** Approvals that were used. */
  readonly approvals_used: number;
  /** The most uses of one. */
  readonly uses_max: number;
}

/** Ends whatever runs. @param operations of all clients since the relay was last cleared */
export async function judge(cluster: Cluster, operations: readonly Operation[]): Promise<Judged> {
  const findings: Finding[] = [...(await archived(cluster)), ...signed(cluster)];
  for (const kind of ['enforcer', 'engine'] as const) {
    await Promise.all(
      cluster.of(kind).map(async (member) => {
        const how = await member.end('SIGTERM');
        if (how !== 0)
          findings.push({ check: 'a drained process ends well', detail: `${member.name} ended with ${String(how)}: ${lastWords(member)}` });
      }),
    );
  }
  for (const member of [...cluster.of('engine'), ...cluster.of('enforcer')]) findings.push(...(await verified(member)));
  const recorded = together(await Promise.all(cluster.of('enforcer').map(({ dir }) => recordedIn(join(dir, 'journal')))));
  const target = seenAtTarget(cluster.relay);
  findings.push(...checkRound(target, recorded, { operations, extraAnswers: () => 0 }));
  const books = await Promise.all(
    cluster.of('engine').map(async (member) => ({ name: member.name, used: await usesIn(join(member.dir, 'journal')) })),
  );
  const uses = [...recorded.approved.values()].flat();
  findings.push(...checkUses(uses, books));
  return { findings, at_target: target.size, approvals_used: new Set(uses).size, uses_max: Math.max(0, ...counted(uses).values()) };
}

/** A marker may have been cleared beside the target by any of the three. */
export function together(parts: readonly Recorded[]): Recorded {
  const approved = new Map<string, readonly string[]>();
  for (const part of parts) for (const [marker, ids] of part.approved) approved.set(marker, [...(approved.get(marker) ?? []), ...ids]);
  return { intents: new Set(parts.flatMap(({ intents }) => [...intents])), approved };
}

export interface EngineBook {
  readonly name: string;
  /** By approval: the receipts of its uses. */
  readonly used: ReadonlyMap<string, ReadonlySet<string>>;
}

/** C3: over all enforcers each approval went to the target once, and every engine gave it once, with one receipt. */
export function checkUses(uses: readonly string[], books: readonly EngineBook[]): readonly Finding[] {
  const findings: Finding[] = [];
  for (const [id, times] of counted(uses)) {
    if (times > 1) findings.push({ check: 'C3 approvals used once', detail: `${id} was cleared ${times} times` });
    for (const { name, used } of books)
      if (!used.has(id)) findings.push({ check: 'engines agree', detail: `${id} was used, and the journal of ${name} does not know of it` });
  }
  for (const { name, used } of books)
    for (const [id, receipts] of used) {
      if (receipts.size > 1) findings.push({ check: 'C3 approvals used once', detail: `${name}: ${id} was given ${receipts.size} times` });
      const others = books.flatMap((book) => [...(book.used.get(id) ?? [])]);
      if (new Set(others).size > 1) findings.push({ check: 'engines agree', detail: `${id} has several receipts` });
    }
  return findings;
}

function counted(ids: readonly string[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return counts;
}

async function usesIn(dir: string): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const used = new Map<string, Set<string>>();
  for await (const line of exportJournal(dir)) {
    const event = JSON.parse(line) as { readonly type: string; readonly approval_id?: string; readonly receipt?: string };
    if (event.type !== 'approval.consumed') continue;
    const id = event.approval_id ?? '';
    used.set(id, (used.get(id) ?? new Set()).add(event.receipt ?? ''));
  }
  return used;
}

/** An enforcer's journal has what it cleared, and its engines' what was given: `checkUses` holds them together. */
const ELSEWHERE = 'APPROVAL_NOT_CONSUMED';

async function verified(member: Member): Promise<readonly Finding[]> {
  const { problems } = await verifyJournal(join(member.dir, 'journal'), publicKey(member));
  return problems
    .filter(({ code }) => member.kind === 'engine' || code !== ELSEWHERE)
    .map(({ seq, code, detail }) => ({ check: 'C4 the journal verifies', detail: `${member.name}: record ${seq}: ${code}: ${detail}` }));
}

/** Each enforcer told the engine that it is connected to by which key its journal is signed; its own key, and told to nobody else's name. */
function signed(cluster: Cluster): readonly Finding[] {
  const known = cluster.of('engine').map(({ dir }) => keysIn(join(dir, 'state', 'archive', 'keys.json')));
  return cluster.of('enforcer').flatMap((enforcer): Finding[] => {
    const own = toldKey(createPublicKey(publicKey(enforcer)));
    const told = known.flatMap((keys) => keys[journalIdIn(join(enforcer.dir, 'journal'))] ?? []);
    if (told.length > 0 && told.every(({ key }) => key === own)) return [];
    return [{ check: 'the mirrors verify signatures', detail: `${told.length} engines know a key of ${enforcer.name}, and not each its own` }];
  });
}

function keysIn(file: string): Readonly<Record<string, { readonly key: string }>> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, { readonly key: string }>) : {};
}

/** Every engine writes back what every enforcer forwarded. The journals go on: what they hold when we begin to look must be there. */
async function archived(cluster: Cluster): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const enforcer of cluster.of('enforcer')) {
    const dir = join(enforcer.dir, 'journal');
    const { records } = await verifyJournal(dir, publicKey(enforcer));
    for (const engine of cluster.of('engine')) {
      const mirror = join(engine.dir, 'state', 'archive', journalIdIn(dir));
      const there = (): Promise<boolean> =>
        verifyJournal(mirror, publicKey(enforcer)).then(
          (found) => found.records >= records && found.problems.every(({ code }) => code === ELSEWHERE),
          () => false,
        );
      await until(there, ARCHIVED_MS).catch(() =>
        findings.push({ check: 'C4 the archive has everything', detail: `${engine.name} lacks some of the ${records} records of ${enforcer.name}` }),
      );
    }
  }
  return findings;
}

function publicKey({ dir }: Member): string {
  return readFileSync(join(dir, 'state', 'keys', 'checkpoint.pub'), 'utf8');
}

function lastWords(member: Member): string {
  return member.log().trimEnd().split('\n').slice(-3).join(' ');
}
