/** The commands for development say what they take, and what is wrong with what they were given. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { BENCH, benchAsked } from '#test/bench/options';
import { CHAOS, chaosOptions } from '#test/chaos/options';
import { CLUSTER, clusterOptions } from '#test/cluster/options';
import { understand } from '#test/support/command-line';
import { root } from '#test/support/processes';

const COMMANDS = ['bench', 'chaos', 'cluster', 'corpus', 'shapes'] as const;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(name: string, args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, [join(root, 'test', name, 'main.ts'), ...args], { cwd: root });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk: Buffer) => void (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => void (err += chunk.toString()));
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, out, err })));
}

test.each(COMMANDS)('npm run %s -- --help; an option that it does not have', { timeout: 60_000 }, async (name) => {
  const [help, wrong] = await Promise.all([run(name, ['--help']), run(name, ['--halp'])]);
  expect(help).toMatchObject({ code: 0, err: '' });
  expect(help.out).toMatch(new RegExp(`^npm run ${name} -- (\\[SHAPE…\\] )?\\[options\\]\\n\\n`));
  expect(help.out).toContain('--help');
  expect(wrong).toEqual({ code: 2, out: '', err: `${name}: unknown option --halp\n  npm run ${name} -- --help says what there is\n` });
});

describe('what is wrong', () => {
  const said = (argv: readonly string[]): unknown => understand(CHAOS, argv, chaosOptions);
  test.each<[string, string]>([
    ['--round 3', 'unknown option --round; is --rounds meant?'],
    ['-x', 'unknown option -x'],
    ['--rounds', '--rounds needs N'],
    ['--rounds --seed 1', '--rounds needs N'],
    ['--table=yes', '--table takes no value'],
    ['kill', 'it takes options only, and no “kill”'],
    ['--rounds 1.5', '--rounds 1.5: a whole number from 1 on'],
    ['--rounds 0', '--rounds 0: a whole number from 1 on'],
    ['--seed x', '--seed x: a whole number from 0 on'],
    ['--component disk', '--component disk: gateway, enforcer, engine, nats'],
    ['--fault clock', '--fault clock: kill, power, eio, enospc, stall'],
    ['--sabotage gives-up', '--sabotage gives-up is of parts that run apart: name a --component'],
  ])('chaos %s', (line, says) => {
    expect(said(line.split(' '))).toEqual({ exit: 2, text: `chaos: ${says}\n  npm run chaos -- --help says what there is\n` });
  });

  test('of the others', () => {
    expect(understand(BENCH, ['--only', '('], benchAsked)).toMatchObject({
      exit: 2,
      text: expect.stringContaining('--only (: Invalid regular expression'),
    });
    expect(understand(BENCH, ['--clients', '1,'], benchAsked)).toMatchObject({ exit: 2 });
    expect(understand(BENCH, ['--seconds', '0'], benchAsked)).toMatchObject({ exit: 2 });
    expect(understand(CLUSTER, ['--clients', '0'], clusterOptions)).toMatchObject({ exit: 2 });
  });
});

test('what is right, and what is taken without it', () => {
  expect(understand(CHAOS, ['--component', 'engine', '--fault=clock', '--rounds', '2', '--json', 'x'], chaosOptions)).toEqual({
    options: { component: 'engine', seed: 1, rounds: 2, fault: 'clock', sabotage: null, table: false, json: 'x' },
  });
  expect(understand(CLUSTER, [], clusterOptions)).toEqual({ options: { races: 100, upgrades: 3, clients: 12, seed: 1, json: null } });
  expect(understand(BENCH, ['--clients', '1,64', '--seconds', '.5'], benchAsked)).toMatchObject({
    options: { sizes: { clients: [1, 64], seconds: 0.5, rounds: 5 } },
  });
});
