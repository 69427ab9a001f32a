/** nats-server and engines killed in the middle, again and again, on a real server, while somebody forges: counted at the end, no grant was used more often than it grants (C3). */
import { randomInt } from 'node:crypto';
import { expect, test } from 'vitest';
import { codeOf, draft, requirement, subject } from '#test/support/approvals';
import { MemoryDisk } from '#test/support/memory-journal';
import { Random } from '#test/support/random';
import { until } from '#test/support/nats';
import { person, type SharedBook, SharedNats } from '#test/support/shared-books';

const SECONDS = Number(process.env['INTERLOCK_ENGINES_CHAOS_SECONDS'] ?? 8);
const SEED = Number(process.env['INTERLOCK_ENGINES_CHAOS_SEED'] ?? randomInt(2 ** 31));
const NODES = process.env['INTERLOCK_ENGINES_CHAOS_NODES'] === '3' ? 3 : 1;
const NAMES = ['one', 'two', 'three'] as const;

interface Asked {
  readonly id: string;
  readonly uses: number;
  /** Receipts that somebody was given. */
  readonly receipts: Set<string>;
}

test(`C3: three engines and their ${NODES} nats-server killed for ${SECONDS} s, seed ${SEED}`, { timeout: 120_000 + SECONDS * 3_000 }, async () => {
  console.log(`INTERLOCK_ENGINES_CHAOS_SEED=${SEED}`);
  const numbers = new Random(SEED);
  const random = (below: number): number => Math.floor(numbers.next() * below);
  const nats = await SharedNats.start(NODES);
  const disks = NAMES.map(() => new MemoryDisk());
  const books: (SharedBook | null)[] = await Promise.all(NAMES.map((name, i) => nats.book(name, { disk: disks[i] as MemoryDisk })));
  const asked: Asked[] = [];
  const counts = { asked: 0, used: 0, refused: 0, kills: 0, outages: 0, forged: 0 };
  const end = performance.now() + SECONDS * 1_000;
  const any = (): SharedBook | null => books[random(books.length)] ?? null;

  /** One statement after the other, through whatever engine is there; each use is tried twice at once, by two engines, under two nonces. */
  const client = async (n: number): Promise<void> => {
    for (let i = 0; performance.now() < end; i++) {
      const uses = 1 + random(2);
      const d = draft({
        text: `UPDATE payments SET n = ${n}.${i}`,
        subject: subject(`alice${n}`, ['support']),
        requirement: requirement({ grant: { of: 'statement', uses } }),
      });
      const ticket = await any()
        ?.book.request(d)
        .catch(() => null);
      if (!ticket) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        continue;
      }
      counts.asked++;
      const one: Asked = { id: ticket.approvalId, uses, receipts: new Set() };
      asked.push(one);
      for (
        let tries = 0;
        tries < 20 && (await codeOf(any()?.book.verdict(one.id, { reviewer: person('carol'), outcome: 'approve' }) ?? gone())) !== 'none';
        tries++
      );
      const consume = async (nonce: string): Promise<void> => {
        for (let tries = 0; tries < 3; tries++) {
          const use = { statementId: `stm_${nonce}`, enforcer: 'shop', nonce, draft: d };
          const receipt = await (any()?.book.consume(one.id, use) ?? gone()).catch(() => null);
          if (receipt) return void one.receipts.add(receipt.receipt);
          counts.refused++;
        }
      };
      await Promise.all([0, 1, 2].map((k) => consume(`non_${n}_${i}_${k}`)));
      counts.used += one.receipts.size;
    }
  };

  const nemesis = async (): Promise<void> => {
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 100 + random(400)));
      const which = random(4);
      if (which === 3) {
        counts.outages++;
        const node = nats.nodes[random(nats.nodes.length)];
        await node?.stop();
        await node?.start();
        continue;
      }
      counts.kills++;
      const victim = books[which];
      books[which] = null;
      await victim?.kill();
      // what was not durable is gone; a process takes a moment to start
      books[which] = await nats.book(NAMES[which] as (typeof NAMES)[number], { disk: disks[which] as MemoryDisk });
    }
  };

  /** Somebody with an engine's key for NATS, and without the authority's: what stands there once more, or elsewhere (ADR 0031). */
  const forger = async (): Promise<void> => {
    await using link = nats.link('three');
    const stream = nats.stream('forger', link);
    while (performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, 500 + random(1_000)));
      const { last = 0 } = await stream.info().catch(() => ({}) as { last?: number });
      const found = last === 0 ? null : await stream.message(1 + random(last)).catch(() => null);
      if (found === null) continue;
      const subject = random(2) === 0 ? found.subject : `approvals.${random(1_000)}`;
      const { kind } = await stream.publish(subject, found.body, { id: `forged ${counts.forged}` });
      if (kind === 'stored') counts.forged++;
    }
  };

  await Promise.all([nemesis(), forger(), ...[0, 1, 2, 3].map((n) => client(n))]);
  const last = performance.now();
  await Promise.all(books.map((each) => until(async () => (await codeOf(each?.ordered.catchUp() ?? gone())) === 'none')));
  console.log(`${JSON.stringify(counts)}; all agree ${Math.round(performance.now() - last)} ms after the last fault`);
  for (const { id, uses, receipts } of asked) expect.soft(receipts.size, id).toBeLessThanOrEqual(uses);
  // every engine's own journal tells the same, and every receipt stands in each
  for (const disk of disks) {
    const consumed = new Map<string, Set<string>>();
    for (const event of disk.events) {
      if (event.type !== 'approval.consumed') continue;
      consumed.set(event.approval_id, (consumed.get(event.approval_id) ?? new Set()).add(event.receipt));
    }
    for (const { id, uses, receipts } of asked) {
      expect.soft(consumed.get(id)?.size ?? 0, id).toBeLessThanOrEqual(uses);
      for (const receipt of receipts) expect.soft(consumed.get(id)?.has(receipt), id).toBe(true);
    }
  }
  for (const { id } of asked)
    expect.soft(new Set(books.map((each) => JSON.stringify(each?.book.story(id).filter(({ type }) => type !== 'executed')))).size, id).toBe(1);
  expect(counts.used).toBeGreaterThan(10);
  expect(counts.kills).toBeGreaterThan(1);
  expect(counts.forged).toBeGreaterThan(0);
  await Promise.all(books.map(async (each) => await each?.close()));
  await nats[Symbol.asyncDispose]();
});

function gone(): Promise<never> {
  return Promise.reject(Object.assign(new Error('this engine is down'), { code: 'DOWN' }));
}
