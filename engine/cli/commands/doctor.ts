import type { Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import type { LoadedConfig, TargetConfig } from '../../config/config.ts';
import { checkFiles } from '../../config/files.ts';
import { loadConfig } from '../../config/load.ts';
import { described, runs, type Common } from '../command.ts';
import { check, type Check } from '../doctor/check.ts';
import { escapeText } from '../escape.ts';
import type { Output } from '../output.ts';

export function doctorCommand(): Command {
  return described({
    name: 'doctor',
    summary:
      'checks this machine, the configuration, the policies and each target, step by step; changes nothing of yours; exit 1 when something is wrong',
    examples: [
      ['interlock doctor', 'everything'],
      ['interlock doctor shop', 'one target'],
    ],
  })
    .argument('[target]')
    .action(runs(doctor));
}

async function doctor(output: Output, options: Common, [name]: readonly string[]): Promise<number> {
  const checks: Check[] = [];
  for await (const one of examine(options.config, name)) {
    checks.push(one);
    if (!output.json)
      output.document(null, () => [
        `${one.ok ? 'ok    ' : 'FAILED'} ${one.id.padEnd(30)} ${escapeText(one.value)}`,
        ...(one.ok ? [] : [`         expected: ${one.expected}`, `         remedy:   ${escapeText(one.remedy)}`]),
      ]);
  }
  const ok = checks.every((one) => one.ok);
  if (output.json) output.document({ ok, checks }, () => []);
  return ok ? EXIT.ok : EXIT.no;
}

/** Each as soon as it is known; what needs the configuration is left out when there is none. */
async function* examine(file: string, name: string | undefined): AsyncGenerator<Check> {
  const { checkNode, checkOpa } = await import('../doctor/machine.ts');
  yield await checkNode();
  yield await checkOpa();
  let config: LoadedConfig | null = null;
  yield await check('config', 'no mistakes', 'The message names file, line, key, what was found and what is allowed.', async () => {
    config = await loadConfig(file);
    return { ok: true, value: file };
  });
  if (config !== null) yield* examineConfig(config, targetsOf(config, name));
}

function targetsOf(config: LoadedConfig, name: string | undefined): readonly TargetConfig[] {
  if (name === undefined) return Object.values(config.targets);
  const target = Object.hasOwn(config.targets, name) ? config.targets[name] : undefined;
  if (target === undefined) throw new InterlockError('USAGE', `there is no target \`${name}\`; there are: ${Object.keys(config.targets).join(', ')}`);
  return [target];
}

async function* examineConfig(config: LoadedConfig, targets: readonly TargetConfig[]): AsyncGenerator<Check> {
  const { checkDisk, checkOnCall, checkPolicies, checkPort, checkState, checkTarget } = await import('../doctor/checks.ts');
  yield await check('files', 'all there', 'Put the file where the configuration says, or change the configuration.', async () => {
    await checkFiles(config);
    return { ok: true, value: 'all there' };
  });
  yield await checkState(config);
  yield await checkPolicies(config);
  yield* checkOnCall(config);
  yield await checkPort(config, 'api', config.api.listen);
  for (const target of targets) yield await checkPort(config, target.name, target.listen);
  yield await checkDisk(config);
  for (const target of targets) yield* await checkTarget(config, target);
}
