/** A6: two client processes, each with its own connection, race for one approval. INTERLOCK_RACES says how often; the issue asks for 1,000. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { alice, type Shop, startShop } from '#test/support/approval-shop';
import type { TokenOptions } from '#test/support/gateway';

const RACES = Number(process.env['INTERLOCK_RACES'] ?? 1_000);

/** One reviewer alone would be told to slow down. */
function reviewer(race: number): TokenOptions {
  return { login: `owner-${race % 20}`, groups: ['owners'], scope: 'approve' };
}

interface Heard {
  readonly ready?: true;
  readonly held?: string;
  readonly ran?: number;
  readonly refused?: string;
  readonly message?: string;
  readonly detail?: string;
}

class Racer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(env: NodeJS.ProcessEnv) {
    this.#child = spawn(process.execPath, [join(import.meta.dirname, '..', 'support', 'race-client.ts')], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
  }

  ask(text: string): void {
    this.#child.stdin?.write(`${text}\n`);
  }

  async hears(): Promise<Heard> {
    const line = await this.#lines.next();
    if (line.done === true) throw new Error('the client ended');
    return JSON.parse(line.value) as Heard;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin?.end();
    if (this.#child.exitCode === null) await once(this.#child, 'exit');
  }
}

let shop: Shop;
beforeAll(async () => {
  shop = await startShop();
});
afterAll(() => shop?.[Symbol.asyncDispose]());

test(`${RACES} races: exactly one of two executes, and the other is told that the approval is used up`, {
  timeout: 30_000 + RACES * 600, // 25 ms each on a quiet machine
}, async () => {
  await using one = new Racer(await shop.environment(alice));
  await using two = new Racer(await shop.environment(alice));
  const racers = [one, two];
  expect(await Promise.all(racers.map((racer) => racer.hears()))).toEqual([{ ready: true }, { ready: true }]);
  const text = 'UPDATE payments SET n = n + 1 WHERE id = 1';
  const wins = [0, 0];
  const approvals = new Set<string>();
  for (let race = 0; race < RACES; race++) {
    for (const racer of racers) racer.ask(text);
    const [a, b] = await Promise.all(racers.map((racer) => racer.hears()));
    expect(a?.held).toMatch(/^apr_/);
    expect(b).toEqual(a); // both joined one request
    const id = a?.held as string;
    approvals.add(id);
    const verdict = await shop.call(reviewer(race), `/v1/approvals/${id}/verdict`, { outcome: 'approve' });
    expect(verdict).toMatchObject({ status: 200 });
    const heard = await Promise.all(racers.map((racer) => racer.hears()));
    const winner = heard.findIndex((one_) => one_.ran === 1);
    wins[winner] = (wins[winner] ?? 0) + 1;
    expect(heard[1 - winner]).toEqual({
      refused: 'IL003',
      message: `approval ${id} no longer fits: it is used up (1 of 1 uses)`,
      detail: expect.stringContaining(`approval=${id}`),
    });
  }
  expect(approvals.size).toBe(RACES);
  expect(await shop.n(1)).toBe(RACES);
  console.log(`${RACES} races, won ${wins.join(' to ')}`);
  const events = await shop.events();
  const used = events.filter((event) => event.type === 'approval.consumed').map((event) => event.approval_id);
  expect(used.length).toBe(RACES);
  expect(new Set(used)).toEqual(approvals);
  const cleared = events.filter((event) => event.type === 'statement.cleared' && event.approval !== undefined);
  expect(cleared.length).toBe(RACES);
});
