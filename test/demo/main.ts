/**
 * `npm run demo`: sets everything up, runs the steps through ordinary clients, and leaves the gateway running. `--once` ends it, `--json OUT` writes
 * what ran. `--apart`: two engines, two enforcers and a nats-server instead, one of each killed in the middle. `--model`: a real model is the agent.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromiumPath } from '#test/support/chromium';
import { toolOrExit } from '#tools/tools';
import { endAll, setUpApart } from './apart-setup.ts';
import { apartSteps } from './apart-steps.ts';
import { launchGateway } from './gateway.ts';
import { modelAccess } from './model-access.ts';
import { readOptions } from './options.ts';
import { setUp } from './setup.ts';
import { Shell } from './shell.ts';
import type { Step } from './step.ts';
import { steps } from './steps.ts';

interface Outcome {
  readonly name: string;
  readonly command: string;
  readonly exit: number;
  readonly seconds: number;
  readonly ok: boolean;
  readonly output: string;
}

const ONE = [
  'interlock connect shop --token-file alice.token -- psql',
  'interlock approvals watch --token-file bob-approve.token',
  'interlock console login --login bob --group payments-owners     # a link for your browser',
  '$EDITOR policies/postgres/guardrails/*.rego        # the next statement is judged by what you save',
];
const APART = [
  'interlock connect shop -c shop.yaml --token-file alice.token -- psql',
  'interlock approvals watch -c engine-2.yaml --token-file bob-approve.token',
  'interlock status -c engine-1.yaml --token-file root.token',
  'interlock console login -c engine-1.yaml --login bob --group payments-owners     # a link for your browser',
];

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));
const values = readOptions(process.argv.slice(2));
const access = values.model ? await modelAccess(process.env).catch((error: Error) => refuse(error.message)) : null;
delete process.env['ANTHROPIC_API_KEY']; // of the model's own step alone: neither gateway nor database inherit it
const colour = process.stdout.isTTY
  ? { dim: '\x1b[2m', bold: '\x1b[1m', green: '\x1b[32m', red: '\x1b[31m', off: '\x1b[0m' }
  : { dim: '', bold: '', green: '', red: '', off: '' };

const begun = performance.now();
const say = (what: string): void => console.log(`${colour.dim}set-up: ${what} …${colour.off}`);
await toolOrExit('opa');
const { dir, server, programs } = values.apart ? await setUpApart(say) : { ...(await setUp(say)), programs: {} };
if (!values.apart) say('`interlock up`: compiles the policies to WASM, tests itself, opens the listener');
const gateway = values.apart ? { stop: () => endAll(dir) } : await launchGateway(dir);
const secondsSetup = (performance.now() - begun) / 1000;
console.log(`${colour.dim}set-up took ${secondsSetup.toFixed(1)} s; everything is in ${dir}${colour.off}`);

const ask = client();
const shell = new Shell({
  cwd: dir,
  env: {
    ...process.env,
    PATH: [binFolder(), process.env['PATH']].join(delimiter),
    TERM: 'dumb',
    ...(access === null ? {} : { ANTHROPIC_API_KEY: access.key, ANTHROPIC_MODEL: access.model }),
  },
});
const outcomes: Outcome[] = [];
const started = performance.now();
for (const step of values.apart ? apartSteps(ask) : steps(ask, browser(), access === null ? 'script' : 'model')) {
  outcomes.push(await play(step));
  // each stands on what the one before started
  if (values.apart && outcomes.at(-1)?.ok !== true) break;
}
await shell[Symbol.asyncDispose]();
const secondsDemo = (performance.now() - started) / 1000;

if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ steps: outcomes, seconds_setup: secondsSetup, seconds_demo: secondsDemo }, null, 1)}\n`);
const failed = outcomes.filter(({ ok }) => !ok);
console.log(
  `\n${failed.length === 0 ? colour.green : colour.red}${outcomes.length - failed.length} of ${outcomes.length} steps did what they say${colour.off}, in ${secondsDemo.toFixed(1)} s.`,
);

const end = async (): Promise<never> => {
  await gateway.stop();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
  process.exit(failed.length === 0 ? 0 : 1);
};
if (values.once || failed.length > 0) await end();
console.log(`
${values.apart ? 'Engines and enforcers are' : 'The gateway is'} still running. In another terminal:

  cd ${dir}
  export PATH=${join(root, 'bin')}:$PATH
${(values.apart ? APART : ONE).map((line) => `  ${line}\n`).join('')}
Ctrl-C ends it and removes the folder.`);
process.once('SIGINT', () => void end());
process.once('SIGTERM', () => void end());

function refuse(why: string): never {
  console.error(`npm run demo: ${why}`);
  process.exit(1);
}

async function play(step: Step): Promise<Outcome> {
  console.log(
    `\n${colour.bold}# ${step.say}${colour.off}\n${step.command
      .split('\n')
      .map((line) => `$ ${line}`)
      .join('\n')}`,
  );
  const { output, exit, seconds } = await shell.run(step.command, (text) => process.stdout.write(text));
  const missing = step.shows.filter((text) => !output.includes(text));
  const leaked = (step.hides ?? []).filter((text) => output.includes(text));
  const ok = exit === step.exit && missing.length === 0 && leaked.length === 0;
  if (!ok)
    console.log(
      `${colour.red}expected exit ${step.exit}, got ${exit}; missing ${JSON.stringify(missing)}; must not show ${JSON.stringify(leaked)}${colour.off}`,
    );
  return { name: step.name, command: step.command, exit, seconds, ok, output };
}

/** psql where it is installed, else a few lines of node-postgres, which are printed. */
function client(): string {
  if (spawnSync('psql', ['--version']).status === 0) return 'psql -c';
  const script = join(dir, 'query.mjs');
  const source = spawnSync('cat', [join(here, 'query.mjs')], { encoding: 'utf8' }).stdout;
  writeFileSync(script, source.replace("from 'pg'", `from '${createRequire(import.meta.url).resolve('pg')}'`));
  console.log(`psql is not installed; these lines of node-postgres stand in for it:\n${source}`);
  return 'node query.mjs';
}

/** A real browser where Chromium is installed, by a few lines of Playwright; they are in the demo's folder. */
function browser(): string | null {
  const chromium = chromiumPath();
  return chromium === null ? null : `node browser.mjs ${chromium}`;
}

/** So that the commands read as they do for a user: `interlock …`. */
function binFolder(): string {
  const bin = join(dir, 'bin');
  mkdirSync(bin);
  const found = Object.entries({ interlock: join(root, 'bin', 'interlock'), ...programs });
  for (const [name, program] of found) symlinkSync(program, join(bin, name));
  return bin;
}
