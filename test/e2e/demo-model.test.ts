/** The end of `npm run demo -- --model`, step by step: a scripted Messages API says what a model would, everything else is real (issue 6, 5). */
import { readdirSync, readFileSync, rmSync, mkdirSync, symlinkSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { launchGateway } from '#test/demo/gateway';
import { modelSteps } from '#test/demo/model-steps';
import { setUp } from '#test/demo/setup';
import { Shell } from '#test/demo/shell';
import { steps } from '#test/demo/steps';
import { type Asked, type Block, lastResults, startMessagesServer } from '#test/support/messages-server';

const KEY = 'sk-canary-of-the-demo';
const REFUND = { target: 'shop', statement: "UPDATE payments SET status = 'refunded' WHERE id = 4" };

/** What it reads decides what it does next: an id that it was not told it does not know. */
function model(asked: Asked): readonly Block[] {
  const [result] = lastResults(asked);
  const calls = asked.messages
    .flatMap(({ content }) => (typeof content === 'string' ? [] : content))
    .filter(({ type }) => type === 'tool_use').length;
  const use = (name: string, input: object): readonly Block[] => [
    { type: 'text', text: `I call ${name}.` },
    { type: 'tool_use', id: `toolu_${calls}`, name, input },
  ];
  const id = /apr_[0-9A-Z]{26}/.exec(JSON.stringify(asked.messages))?.[0] ?? 'not told';
  switch (calls) {
    case 0:
      return use('query', { target: 'shop', statement: 'SELECT name, email, card_number FROM customers ORDER BY id' });
    case 1:
      return use('query', { target: 'shop', statement: 'DELETE FROM customers' });
    case 2:
      return use('query', REFUND);
    case 3:
      return result === undefined ? use('await_approval', { approval_id: id }) : [{ type: 'text', text: `It waits as ${id}.` }];
    case 4:
      return result?.includes('approved') === true ? use('query', REFUND) : [{ type: 'text', text: 'It is not approved.' }];
    case 5:
      return use('await_approval', { approval_id: id });
    default:
      return [{ type: 'text', text: 'It was done once.' }];
  }
}

test('a model sees masks, is refused, is told to wait, comes back, and the refund runs once; its key is in no output, no log, no record', async () => {
  await using api = await startMessagesServer(KEY, model);
  const { dir, server } = await setUp(() => {});
  const gateway = await launchGateway(dir);
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  symlinkSync(join(dirname(dirname(import.meta.dirname)), 'bin', 'interlock'), join(bin, 'interlock'));
  const access = { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: api.url, ANTHROPIC_MODEL: 'claude-scripted-1' };
  await using shell = new Shell({ cwd: dir, env: { ...process.env, ...access, PATH: [bin, process.env['PATH']].join(delimiter), TERM: 'dumb' } });
  try {
    const approve = ['interlock approvals approve $request --token-file bob-approve.token'];
    for (const step of [...steps('true').slice(0, 1), ...modelSteps(approve)]) {
      const { output, exit } = await shell.run(step.command);
      expect({ exit, output }, step.name).toMatchObject({ exit: step.exit });
      for (const text of step.shows) expect(output, step.name).toContain(text);
      for (const text of [...(step.hides ?? []), KEY]) expect(output, step.name).not.toContain(text);
    }
    expect(api.problems).toEqual([]);
    expect((await server.query<{ status: string }>('SELECT status FROM payments WHERE id = 4', 'shop')).rows).toEqual([{ status: 'refunded' }]);
    for (const file of readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()))
      expect(readFileSync(join(file.parentPath, file.name)).includes(KEY), file.name).toBe(false);
  } finally {
    await gateway.stop();
    await server.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}, 120_000);
