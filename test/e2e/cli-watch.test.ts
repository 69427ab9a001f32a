/** `interlock approvals watch` on a real terminal (a pseudo-terminal of util-linux' `script`), and where there is none. A1, M8. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { alice, bob, type Shop, startShop } from '#test/support/approval-shop';

const cli = join(import.meta.dirname, '..', '..', 'engine', 'cli', 'main.ts');
const hasScript = spawnSync('script', ['--version'], { stdio: 'ignore' }).status === 0;

let shop: Shop;
let tokenFile = '';
beforeAll(async () => {
  shop = await startShop({ approvals: { wait: '2m' } });
  tokenFile = join(shop.dir, 'bob.token');
  writeFileSync(tokenFile, await shop.token(bob), { mode: 0o600 });
});
afterAll(() => shop?.[Symbol.asyncDispose]());

class Watching {
  readonly #process: ChildProcess;
  #output = '';

  constructor(command: string, args: readonly string[]) {
    this.#process = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.stdout?.setEncoding('utf8').on('data', (chunk: string) => (this.#output += chunk));
  }

  /** All that was written since `from`. */
  async sees(text: string | RegExp, from = 0): Promise<string> {
    return vi.waitFor(
      () => {
        const shown = this.#output.slice(from);
        expect(shown).toMatch(text);
        return shown;
      },
      { timeout: 20_000, interval: 20 },
    );
  }

  types(keys: string): number {
    this.#process.stdin?.write(keys);
    return this.#output.length;
  }

  async ends(): Promise<string> {
    if (this.#process.exitCode === null) await once(this.#process, 'exit');
    return this.#output;
  }

  stop(): void {
    this.#process.kill('SIGTERM');
  }
}

const args = (...more: readonly string[]): readonly string[] => [
  cli,
  'approvals',
  'watch',
  '-c',
  shop.gateway.configFile,
  '--token-file',
  tokenFile,
  ...more,
];

test.skipIf(!hasScript)('from a held statement to rows changed: read, digits of the digest, words', { timeout: 60_000 }, async () => {
  const client = await shop.client();
  const command = [process.execPath, ...args()].map((word) => `'${word}'`).join(' ');
  const terminal = new Watching('script', ['-qfec', `stty rows 24 cols 90; exec ${command}`, '/dev/null']);
  await terminal.sees('waiting for you');
  // it appears by itself
  const running = client.query("UPDATE payments SET note = '\u202e\u001b[2Jpaid' WHERE id = 7");
  await terminal.sees(/sets note = /);
  let at = terminal.types('\r');
  await terminal.sees('RIGHT-TO-LEFT OVERRIDE', at);
  at = terminal.types('Ga');
  const [, digits = ''] = /type ([0-9a-f]{4}), the first digits/.exec(await terminal.sees(/type [0-9a-f]{4}/, at)) ?? [];
  at = terminal.types(`${digits}\r`);
  await terminal.sees('enter for none', at);
  at = terminal.types('as agreed\r');
  expect(await running).toMatchObject({ rowCount: 1 });
  await terminal.sees(/is (approved|consumed)/, at);
  terminal.types('q');
  const output = await terminal.ends();
  // nothing but what we wrote ourselves moves the cursor, and the terminal is given back as it was
  expect(output).not.toContain('\u202e');
  const ours = ['?1049h', '?1049l', '?25h', '?25l', 'H', 'K', 'J'];
  expect(ours.reduce((rest, code) => rest.replaceAll(`\u001b[${code}`, ''), output)).not.toContain('\u001b');
  expect(output.trimEnd().endsWith('\u001b[?1049l')).toBe(true);
  const verdicts = (await shop.events()).filter((event) => event.type === 'approval.verdict');
  expect(verdicts).toMatchObject([{ outcome: 'approve', reviewer: { properties: { login: 'bob' } } }]);
  await client.end();
});

test('where stdout is no terminal: a line for what comes and what goes', { timeout: 60_000 }, async () => {
  const client = await shop.client(alice);
  const plain = new Watching(process.execPath, args());
  const lines = new Watching(process.execPath, args('--json'));
  const running = client.query('DELETE FROM payments WHERE id = 8').catch((error: Error) => error);
  const { approval_id: id } = await shop.opened('id = 8');
  await plain.sees(new RegExp(`${id} open 0/1 alice shop: `));
  await lines.sees(new RegExp(`"approval_id":"${id}","state":"open"`));
  await shop.verdict(id, 'deny', 'no');
  await plain.sees(`${id} is not here any more`);
  await lines.sees(`{"approval_id":"${id}","gone":true}`);
  for (const one of [plain, lines]) one.stop();
  for (const one of [plain, lines]) await one.ends();
  await running;
  await client.end();
});
