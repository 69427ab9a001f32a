/** The loop of `npm run demo -- --model` against the Messages API’s form: bounded, its conversation whole, and the key never shown. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { modelAccess } from '#test/demo/model-access';
import { lastResults, type Block, type Script, startMessagesServer } from '#test/support/messages-server';

const KEY = 'sk-canary-5f1b';
const root = join(import.meta.dirname, '..', '..');

interface Ran {
  readonly exit: number;
  readonly output: string;
}

let dir = '';
let calls: { name: string; arguments: unknown }[] = [];
const tools = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk: Buffer) => (text += chunk.toString()));
  request.on('end', () => {
    const { method, params } = JSON.parse(text) as { method: string; params: { name: string; arguments: unknown } };
    if (method === 'tools/call') calls.push({ name: params.name, arguments: params.arguments });
    const said = { outcome: 'rows', columns: ['a'], rows: [['1\u001B[2J']] };
    const result =
      method === 'tools/list'
        ? { tools: [{ name: 'query', description: 'Runs.', inputSchema: { type: 'object' } }] }
        : { content: [{ type: 'text', text: JSON.stringify(said) }], structuredContent: said };
    response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
  });
});

beforeEach(async () => {
  calls = [];
  dir = mkdtempSync(join(tmpdir(), 'interlock-model-'));
  if (!tools.listening) await new Promise<void>((resolve) => tools.listen(0, '127.0.0.1', resolve));
  for (const script of ['mcp.mjs', 'model.mjs']) cpSync(join(root, 'test', 'demo', script), join(dir, script));
  mkdirSync(join(dir, 'state'));
  mkdirSync(join(dir, 'refunds', 'scripts'), { recursive: true });
  writeFileSync(join(dir, 'state', 'gateway.json'), JSON.stringify({ api: `http://127.0.0.1:${(tools.address() as AddressInfo).port}` }));
  writeFileSync(join(dir, 'refunds', 'SKILL.md'), '---\nname: refunds\n---\n# what it may do\n');
  writeFileSync(join(dir, 'refunds', 'scripts', 'token'), '#!/bin/sh\necho token\n', { mode: 0o755 });
});
afterEach(() => {
  tools.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

async function model(url: string, task: string): Promise<Ran> {
  const env = { ...process.env, ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: url, ANTHROPIC_MODEL: 'claude-scripted-1' };
  const child = spawn(process.execPath, ['model.mjs', 'refunds', task], { cwd: dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const [exit] = (await once(child, 'close')) as [number];
  return { exit, output };
}

const asks = (statement: string): Block => ({
  type: 'tool_use',
  id: `toolu_${Math.random().toString(36).slice(2)}`,
  name: 'query',
  input: { statement },
});
const says = (text: string): Block => ({ type: 'text', text });

test('the model’s calls go to the MCP server, its results back, and the next task goes on from there; the key is in no word and no file', async () => {
  const script: Script = ({ messages }) =>
    messages.length === 1
      ? [says('I look.\u001B[31m'), asks('SELECT 1'), asks('SELECT 2')]
      : [says(messages.length > 4 ? `done, with ${KEY}` : 'done')];
  await using server = await startMessagesServer(KEY, script);
  const first = await model(server.url, 'look');
  expect(first).toMatchObject({ exit: 0, output: expect.stringContaining('asks query {"statement":"SELECT 1"}') });
  expect(first.output).toContain('outcome: rows');
  expect(calls.map((call) => call.arguments)).toEqual([{ statement: 'SELECT 1' }, { statement: 'SELECT 2' }]);
  expect(lastResults(server.asked[1] as never)).toHaveLength(2);
  for (const file of readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()))
    expect(readFileSync(join(file.parentPath, file.name), 'utf8'), file.name).not.toContain(KEY);
  const second = await model(server.url, 'again');
  expect(second.exit).toBe(0);
  expect(server.asked.at(-1)?.messages.map(({ role }) => role)).toEqual(['user', 'assistant', 'user', 'assistant', 'user']);
  expect(server.asked[0]?.system).toContain('# what it may do');
  expect(server.problems).toEqual([]);
  const outputs = first.output + second.output;
  expect(outputs).not.toContain(KEY);
  expect(outputs).toContain('done, with …');
  expect(outputs).not.toContain('\u001B');
});

test('a model that never stops is stopped, with one line', async () => {
  await using server = await startMessagesServer(KEY, () => [asks('SELECT 1')]);
  const { exit, output } = await model(server.url, 'look');
  expect(exit).toBe(1);
  expect(output).toContain('model.mjs: the model was not done after 16 answers');
  expect(server.asked).toHaveLength(16);
});

test('an API that is busy is asked again; one that refuses is told of in one line, without the key', async () => {
  let busy = 1;
  await using server = await startMessagesServer(KEY, () => (busy-- > 0 ? 529 : [says('done')]));
  expect(await model(server.url, 'look')).toMatchObject({ exit: 0 });
  await using other = await startMessagesServer('another', () => []);
  const refused = await model(other.url, 'look');
  expect(refused.exit).toBe(1);
  expect(refused.output.trim().split('\n')).toEqual([expect.stringMatching(/^model\.mjs: the Messages API answered 401: .*invalid x-api-key/)]);
});

test('whether a model can be asked is known before anything is set up: no key, no network, a key that is not accepted', async () => {
  await using server = await startMessagesServer(KEY, () => [says('yes')]);
  const env = { ANTHROPIC_API_KEY: KEY, ANTHROPIC_BASE_URL: server.url };
  expect(await modelAccess(env)).toEqual({ key: KEY, model: 'claude-sonnet-scripted' });
  expect(await modelAccess({ ...env, ANTHROPIC_MODEL: 'claude-mine' })).toEqual({ key: KEY, model: 'claude-mine' });
  await expect(modelAccess({})).rejects.toThrow(/needs ANTHROPIC_API_KEY in the environment/);
  await expect(modelAccess({ ...env, ANTHROPIC_API_KEY: 'sk-wrong' })).rejects.toThrow(/answered 401: .*Check ANTHROPIC_API_KEY/);
  const nobody = modelAccess({ ...env, ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' });
  await expect(nobody).rejects.toThrow(/cannot be reached \(.+\): is there a network/);
  for (const wrong of [nobody, modelAccess({ ...env, ANTHROPIC_API_KEY: 'sk-wrong' })]) await expect(wrong).rejects.not.toThrow(/sk-/);
});
