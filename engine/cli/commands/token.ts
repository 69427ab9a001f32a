import { Option, type Command } from 'commander';
import { systemClock } from '#client/clock';
import { EXIT, InterlockError } from '#schemas/errors';
import type { LoadedConfig } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { openStateDir } from '../../config/state.ts';
import { durationMs } from '../../config/units.ts';
import type { Minted, MintOptions } from '../../identity/local-issuer.ts';
import { described, list, runs, type Common } from '../command.ts';

interface Options extends Common {
  readonly login: string;
  readonly group?: readonly string[];
  readonly type: 'user' | 'service' | 'agent';
  readonly for?: string;
  readonly forGroup?: readonly string[];
  readonly scope: 'connect' | 'approve';
  readonly ttl: string;
}

/** @throws InterlockError CONFIG_INVALID where the local issuer is off, USAGE for what a token may not say */
export async function mintLocally(config: LoadedConfig, wanted: MintOptions): Promise<Minted> {
  if (!config.identity.local.enabled)
    throw new InterlockError('CONFIG_INVALID', `${config.file}: the local issuer is off (identity.local.enabled)`, {
      hint: 'Get a token from your identity provider; the local issuer is for trying out and for tests.',
    });
  await openStateDir(config.stateDir);
  const { openTheLocalIssuer } = await import('../../judging.ts');
  const issuer = await openTheLocalIssuer(config, systemClock);
  return await issuer.mint(wanted);
}

export function tokenCommand(): Command {
  return described({
    name: 'token',
    summary: 'makes a token of the local issuer: for trying out and for tests; elsewhere tokens come from your identity provider',
    examples: [
      ['interlock token --login alice --group support > alice.token', 'a token to connect with'],
      ['interlock token --login bob --group data-owners --scope approve > bob.token', 'a token to decide with'],
      ['interlock token --login bot --type agent --for alice > bot.token', 'an agent that acts for alice'],
    ],
  })
    .requiredOption('--login <login>', 'who it is for')
    .option('--group <group>', 'a group of theirs; may be repeated', list)
    .addOption(new Option('--type <type>', 'what they are').choices(['user', 'service', 'agent']).default('user'))
    .option('--for <login>', 'on whose behalf an agent or a service acts')
    .option('--for-group <group>', 'a group of that human: then an agent may do what both may; may be repeated', list)
    .addOption(new Option('--scope <scope>', 'what it may be used for').choices(['connect', 'approve']).default('connect'))
    .option('--ttl <duration>', 'how long it lasts, such as 1h', '1h')
    .action(
      runs<Options>(async (output, options) => {
        const config = await loadConfig(options.config);
        if (!/^[0-9]{1,9}(ms|s|m|h|d)$/.test(options.ttl))
          throw new InterlockError('USAGE', `--ttl ${options.ttl}: allowed is a duration such as 30m or 1h`);
        const { login, group: groups = [], type, scope, for: owner, forGroup } = options;
        const behalf = owner === undefined ? {} : { onBehalfOf: owner, ...(forGroup && { behalfGroups: forGroup }) };
        const minted = await mintLocally(config, { login, groups, type, scope, ttlMs: durationMs(options.ttl), ...behalf });
        output.document(minted, () => [minted.token]);
        return EXIT.ok;
      }),
    );
}
