/** SURFACE.md is a public interface: every command of its table exists with the flags that it names, and no flag there is unknown to the command. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { MAJORS } from '#engine/cli/majors';
import { exitCode } from '#engine/cli/output';
import { PARSER_MAJORS } from '#engine/facts/postgres/parser';
import { ERRORS, type ErrorCode } from '#schemas/errors';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const cli = join(root, 'engine', 'cli', 'main.ts');

async function interlock(...args: string[]): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  try {
    return { code: 0, ...(await run(process.execPath, [cli, ...args], { cwd: '/' })) };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

/** `interlock approvals list|show ID|approve ID [--comment C]` → its sub-commands with the flags that stand behind any of them. */
function commands(): readonly { readonly path: readonly string[]; readonly flags: readonly string[] }[] {
  const cells = readFileSync(join(root, 'SURFACE.md'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('| `interlock '))
    .map((line) => line.replaceAll('\\|', '¦').split(' | ')[0] ?? '');
  const spelled = cells.flatMap((cell) => [...cell.matchAll(/`interlock ([^`]+)`/g)].map((match) => match[1] ?? ''));
  return spelled.flatMap((text) => {
    const [name, rest] = [text.split(' ', 1).join(), text.slice(text.indexOf(' ') + 1)];
    const flags = [...new Set([...text.matchAll(/(?<= |\[|\()(--?[a-z][a-z-]*)/g)].map((match) => match[1] ?? ''))];
    const subs = [
      'approvals',
      'console',
      'sessions',
      'audit',
      'policy',
      'projection',
      'notify',
      'enforcer',
      'nats',
      'mcp',
      'state',
      'skill',
    ].includes(name)
      ? rest.split(/[|¦]/).flatMap((part) => /^\s*([a-z][a-z-]*)(?= |$)/.exec(part)?.[1] ?? [])
      : [];
    return subs.length === 0 ? [{ path: [name], flags }] : subs.map((sub) => ({ path: [name, sub], flags }));
  });
}

describe('commands of SURFACE.md', () => {
  const table = commands();
  test('the table was read', () => {
    expect(table.map(({ path }) => path.join(' ')).sort()).toEqual(
      [
        'approvals approve',
        'approvals break-glass',
        'approvals cancel',
        'approvals changes',
        'approvals delegate',
        'approvals delegations',
        'approvals deny',
        'approvals list',
        'approvals review',
        'approvals show',
        'approvals watch',
        'approvals withdraw',
        'audit export',
        'audit prove',
        'audit search',
        'audit verify',
        'audit verify-proof',
        'connect',
        'console login',
        'decide',
        'decide',
        'decide',
        'doctor',
        'enforce',
        'enforcer add',
        'enforcer join',
        'enforcer list',
        'enforcer remove',
        'enforcer show',
        'engine',
        'events',
        'facts',
        'facts',
        'init',
        'mcp pin',
        'nats identity',
        'nats setup',
        'nats setup',
        'notify list',
        'notify resend',
        'notify test',
        'policy build',
        'policy build',
        'policy key',
        'policy test',
        'policy verify',
        'projection rebuild',
        'projection status',
        'run',
        'run',
        'run',
        'run',
        'sessions end',
        'sessions list',
        'sessions show',
        'skill add',
        'skill list',
        'skill remove',
        'skill rotate',
        'skill show',
        'skill update',
        'state export',
        'state import',
        'status',
        'token',
        'up',
      ].sort(),
    );
    expect(table.flatMap(({ flags }) => flags).length).toBeGreaterThan(30);
  });

  test.each(table)('$path $flags', async ({ path, flags }) => {
    const { code, stdout } = await interlock(...path, '--help');
    expect(code).toBe(0);
    const known = [...stdout.matchAll(/^ {2}(?:(-\w), )?(--[a-z-]+)/gm)].flatMap((match) => [match[1], match[2]]);
    expect(known).toContain('--json');
    for (const flag of flags) expect(known).toContain(flag);
  });
});

test('usage: exit 2, the nearest known word, nothing on stdout', async () => {
  for (const [args, says] of [
    [['approval'], 'Did you mean approvals?'],
    [['approvals', 'lst'], 'Did you mean list?'],
    [['facts', '--majr', '15'], 'Did you mean --major?'],
    [['facts', '--major', '12'], 'Allowed choices are 15, 17'],
    [['token'], "required option '--login <login>' not specified"],
    [['enforce'], "missing required argument 'target'"],
  ] as const) {
    const { code, stdout, stderr } = await interlock(...args);
    expect([args, code, stdout]).toEqual([args, 2, '']);
    expect(stderr).toContain(says);
  }
});

test('an error is one readable message with code and exit code, as JSON too', async () => {
  const { code, stdout, stderr } = await interlock('status', '-c', '/nonexistent.yaml', '--json');
  expect(code).toBe(3);
  expect(stderr).toBe('interlock: /nonexistent.yaml: there is no such file; name one with -c, or write one with `interlock init` (CONFIG_INVALID)\n');
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'CONFIG_INVALID' } });
});

test('every code has an exit code of SURFACE.md, and only INTERNAL and what cannot be the user’s doing are our fault', () => {
  const codes = Object.keys(ERRORS) as ErrorCode[];
  const byExit = Object.groupBy(codes, (code) => String(exitCode(code)));
  expect(Object.keys(byExit).sort()).toEqual(['1', '2', '3', '4', '5', '70']);
  expect(exitCode('INTERNAL')).toBe(70);
  expect(exitCode('TARGET_UNREACHABLE')).toBe(4);
  expect(exitCode('VERDICT_SELF')).toBe(5);
  expect(exitCode('PORT_TAKEN')).toBe(3);
});

test('help and tables have no colour where there is no terminal', async () => {
  for (const args of [['--help'], ['connect', '--help']]) expect((await interlock(...args)).stdout).not.toContain('\u001b');
});

test('the majors that can be named are those with a grammar', () => {
  expect(MAJORS).toEqual(PARSER_MAJORS.map(String));
});
