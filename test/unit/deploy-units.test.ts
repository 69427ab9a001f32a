/**
 * The units as `systemd-analyze` judges them, offline: that they are well-formed, and how exposed a service is by its estimate (0 best, 10 worst).
 * That they also run is checked by `npm run units:check`, under a real systemd.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const folder = join(import.meta.dirname, '..', '..', 'tools', 'deploy', 'systemd');
/** `systemd-analyze security` counts in tenths: 1.5 is what is left when a service needs the network and a compiler at run time. */
const EXPOSURE_TENTHS_MAX = 15;
const UNITS = [
  ['interlock.service', 'interlock.service'],
  ['interlock-engine.service', 'interlock-engine.service'],
  ['interlock-enforce@shop.service', 'interlock-enforce@.service'],
] as const;
const TARGETS = ['sysinit', 'basic', 'shutdown', 'network-online', 'multi-user', 'network', 'local-fs'];
const present = spawnSync('systemd-analyze', ['--version']).status === 0;

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'interlock-units-'));
  const units = join(root, 'etc', 'systemd', 'system');
  mkdirSync(units, { recursive: true });
  for (const [unit, file] of UNITS) copyFileSync(join(folder, file), join(units, unit));
  for (const target of TARGETS) writeFileSync(join(units, `${target}.target`), `[Unit]\nDescription=${target}\n`);
  writeFileSync(join(units, 'tmp.mount'), '[Unit]\nDescription=/tmp\n[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\n');
  for (const program of ['opt/interlock/bin/interlock', 'bin/kill']) {
    mkdirSync(dirname(join(root, program)), { recursive: true });
    writeFileSync(join(root, program), '#!/bin/sh\n');
    chmodSync(join(root, program), 0o755);
  }
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

describe.skipIf(!present)('systemd-analyze (apt-get install systemd)', () => {
  test.each(UNITS.map(([unit]) => unit))('verifies %s', (unit) => {
    expect(verify(unit)).toEqual({ status: 0, stderr: '' });
  });

  test('and would not verify a misspelling', () => {
    const file = join(root, 'etc', 'systemd', 'system', 'wrong.service');
    writeFileSync(file, readFileSync(join(folder, 'interlock.service'), 'utf8').replace('NoNewPrivileges=', 'NoNewPrivilege='));
    expect(verify('wrong.service').stderr).toContain('NoNewPrivilege');
  });

  test.each(UNITS.map(([unit]) => unit))('finds %s no more exposed than a service that needs the network and a compiler', (unit) => {
    const judged = exposure(unit);
    expect(judged.status, judged.stdout).toBe(0);
    expect(judged.stdout).toContain('Overall exposure level');
  });

  test('and would find it so without its restrictions', () => {
    const file = join(root, 'etc', 'systemd', 'system', 'open.service');
    writeFileSync(file, readFileSync(join(folder, 'interlock.service'), 'utf8').replaceAll(/^(CapabilityBoundingSet|SystemCallFilter)=.*$/gm, ''));
    expect(exposure('open.service').status).not.toBe(0);
  });
});

describe('the units', () => {
  test.each(UNITS)('%s: secrets by LoadCredential, no core, a drain with time, told ready; memory may become executable, and why', (_unit, file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const line of ['Type=notify', 'NotifyAccess=all', 'LimitCORE=0', 'NoNewPrivileges=yes', 'ProtectSystem=strict', 'TimeoutStopSec=60'])
      expect(text.split('\n')).toContain(line);
    expect(text).toMatch(/^LoadCredential=secrets:\/etc\/interlock\//m);
    expect(text).toMatch(/^# .*MemoryDenyWriteExecute=/m);
    expect(text).not.toMatch(/^MemoryDenyWriteExecute=/m);
    expect(text).not.toMatch(/^Environment=.*(PASSWORD|TOKEN|SECRET)/m);
  });

  test('differ in nothing but who runs what', () => {
    const restrictions = UNITS.map(([, file]) => readFileSync(join(folder, file), 'utf8').split('\nNoNewPrivileges=')[1]);
    expect(new Set(restrictions).size).toBe(1);
  });
});

function verify(unit: string): { readonly status: number | null; readonly stderr: string } {
  const { status, stderr } = spawnSync('systemd-analyze', ['verify', `--root=${root}`, '--man=no', unit], { encoding: 'utf8' });
  // names of system calls that this systemd is too old or too new to know
  return { status, stderr: stderr.replaceAll(/^.*Failed to parse system call, ignoring.*\n/gm, '') };
}

function exposure(unit: string): { readonly status: number | null; readonly stdout: string } {
  const args = ['security', '--offline=yes', `--root=${root}`, `--threshold=${EXPOSURE_TENTHS_MAX}`, '--no-pager', unit];
  return spawnSync('systemd-analyze', args, { encoding: 'utf8' });
}
