import { cp, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import type { Command } from 'commander';
import { Config } from '#schemas/config';
import { EXIT, InterlockError } from '#schemas/errors';
import { described, runs, type Common } from '../command.ts';
import type { Output } from '../output.ts';
import { root } from '../version.ts';

export function initCommand(): Command {
  return described({
    name: 'init',
    summary: 'writes a commented configuration with its schema, the shipped policies with their tests, and a pipeline example; overwrites nothing',
    examples: [['interlock init gateway', 'a folder to start from; then `cd gateway` and `interlock up`']],
  })
    .argument('[dir]', 'default: here')
    .action(runs(init));
}

const TEMPLATES = join(root, 'engine', 'cli', 'templates');

/** Where each template goes. */
const FILES: Readonly<Record<string, string>> = {
  'interlock.yaml': 'interlock.yaml',
  'data.yaml': 'data.yaml',
  'policies.yml': '.github/workflows/policies.yml',
  'check-policies.sh': 'ci/check-policies.sh',
  gitignore: '.gitignore',
};

async function init(output: Output, _options: Common, [dir = '.']: readonly string[]): Promise<number> {
  const written = ['interlock.schema.json', 'policies', ...Object.values(FILES)];
  await refuseToOverwrite(dir, written);
  await mkdir(dir, { recursive: true });
  for (const [template, file] of Object.entries(FILES))
    await writeNew(join(dir, file), await readFile(join(TEMPLATES, template)), template.endsWith('.sh') ? 0o755 : 0o644);
  await writeNew(join(dir, 'interlock.schema.json'), `${JSON.stringify(Config, null, 2)}\n`, 0o644);
  await cp(join(root, 'policies'), join(dir, 'policies'), { recursive: true, errorOnExist: true, force: false });
  output.document({ dir, files: written }, () => nextSteps(dir, written));
  return EXIT.ok;
}

/** Before anything is written: all or nothing. */
async function refuseToOverwrite(dir: string, files: readonly string[]): Promise<void> {
  const present = new Set(await readdir(dir, { recursive: true }).catch(() => []));
  const taken = files.filter((file) => present.has(file));
  if (taken.length === 0) return;
  throw new InterlockError('USAGE', `${taken.map((file) => join(dir, file)).join(', ')}: already there; nothing was written`, {
    hint: 'Name an empty folder: `interlock init DIR`.',
  });
}

async function writeNew(file: string, content: string | Uint8Array, mode: number): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, content, { flag: 'wx', mode });
}

function nextSteps(dir: string, files: readonly string[]): readonly string[] {
  const enter = relative('.', dir) === '' ? [] : [`  cd ${dir}`];
  return [
    `written to ${dir}:`,
    ...files.map((file) => `  ${file}`),
    '',
    'next:',
    ...enter,
    "  export SHOP_URL='postgresql://USER:PASSWORD@HOST:5432/DATABASE'    # the gateway's own account",
    '  interlock doctor',
    '  interlock up',
    '',
    'and in another terminal:',
    ...enter,
    '  interlock token --login you --group developers > you.token',
    '  interlock connect shop --token-file you.token -- psql',
    '',
    'to decide what waits, in a browser:',
    ...enter,
    '  interlock console login --login somebody-else --group data-owners',
    '',
    'to let an agent work there, for you:',
    ...enter,
    '  interlock skill add helper --target shop --token-file you.token    # its folder is a skill: SKILL.md says what it may, and how',
  ];
}
