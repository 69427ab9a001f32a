/** Claude Code, the client itself, before the MCP enforcer; a scripted Messages API stands in the model's place (issue 6: it completes a held call). */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import type { ApprovalBook } from '#engine/approvals/approvals';
import { requirement } from '#test/support/approvals';
import { MCP_TOKEN, startMcpGateway } from '#test/support/mcp-gateway';
import { startMcpServer } from '#test/support/mcp-server';
import { MemoryJournal } from '#test/support/memory-journal';
import { type Asked, type Block, lastResults, startMessagesServer } from '#test/support/messages-server';
import { openBook, ritaSays } from '#test/support/reviewed-book';

// never the `claude` of the path: that is somebody's own, with their settings
const program = process.env['INTERLOCK_CLAUDE'] ?? '';
const missing = existsSync(program)
  ? ''
  : ' (INTERLOCK_CLAUDE): npm install @anthropic-ai/claude-code elsewhere, and point it to node_modules/.bin/claude';

const KEY = 'sk-scripted';
const REFUND: Block = { type: 'tool_use', id: 'toolu_1', name: 'mcp__tools__refund', input: { order: 7, cents: 500 } };

test.skipIf(missing !== '')(
  `Claude Code is told that a call is pending, comes back after the verdict, and it runs once${missing}`,
  async () => {
    const journal = new MemoryJournal(systemClock);
    const asks = requirement();
    let book: ApprovalBook | undefined;
    await using server = await startMcpServer();
    await using gateway = await startMcpGateway({
      upstream: { kind: 'http', url: server.url },
      journal,
      target: { pollMs: 500 },
      rule: ({ facts, moment }) =>
        facts.method !== 'tools/call' || facts.tool?.name !== 'refund' || moment.approval?.requirement === asks.digest
          ? { effect: 'allow' }
          : { effect: 'require_approval', requirement: asks },
      approvals: async () => (book = await openBook(journal)),
    });
    const told: string[] = [];
    await using model = await startMessagesServer(KEY, async (asked) => {
      const [result] = lastResults(asked);
      if (result === undefined) return hasTool(asked) ? [REFUND] : [{ type: 'text', text: 'Refund' }];
      told.push(result);
      if (told.length > 1) return [{ type: 'text', text: `It was done: ${result}` }];
      const open = book?.list({ state: 'open' }) ?? [];
      expect(server.ran).toEqual([]);
      for (const { approval_id: id } of open) await ritaSays(book as ApprovalBook, id, 'approve');
      return [{ ...REFUND, id: 'toolu_2' }];
    });
    const { exit, output } = await claude(model.url, gateway.url);
    expect({ exit, output: output.slice(-2_000) }).toMatchObject({ exit: 0, output: expect.stringContaining('refunded 500 of 7') });
    expect(told).toEqual([expect.stringMatching(/PENDING.*apr_[0-9A-Z]{26}/s), expect.stringContaining('refunded 500 of 7')]);
    expect(server.ran).toEqual([{ tool: 'refund', args: { order: 7, cents: 500 } }]);
    expect(book?.list({}).map(({ state }) => state)).toEqual(['consumed']);
    expect(model.problems).toEqual([]);
    book?.close();
  },
  120_000,
);

function hasTool({ tools = [] }: Asked): boolean {
  return tools.some(({ name }) => name === 'mcp__tools__refund');
}

/** Headless, in a home of its own: nothing of this machine's settings, and nothing to call home with. */
async function claude(api: string, mcp: string): Promise<{ readonly exit: number; readonly output: string }> {
  const home = mkdtempSync(join(tmpdir(), 'interlock-claude-'));
  const config = join(home, 'mcp.json');
  writeFileSync(config, JSON.stringify({ mcpServers: { tools: { type: 'http', url: mcp, headers: { authorization: `Bearer ${MCP_TOKEN}` } } } }));
  const args = ['-p', 'Refund 5 of order 7.', '--mcp-config', config, '--strict-mcp-config', '--allowedTools', 'mcp__tools__refund'];
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    CLAUDE_CONFIG_DIR: join(home, 'config'),
    ANTHROPIC_BASE_URL: api,
    ANTHROPIC_API_KEY: KEY,
    ANTHROPIC_MODEL: 'claude-scripted-1',
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
    DISABLE_AUTOUPDATER: '1',
    ENABLE_TOOL_SEARCH: 'false',
  };
  const child = spawn(program, args, { cwd: home, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk: string) => (output += chunk));
  const [exit] = (await once(child, 'close')) as [number];
  rmSync(home, { recursive: true, force: true });
  return { exit, output };
}
