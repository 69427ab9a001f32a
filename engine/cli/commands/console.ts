import { Command } from 'commander';
import { EXIT } from '#schemas/errors';
import { loadConfig } from '../../config/load.ts';
import { described, list, runs, type Common } from '../command.ts';
import { gatewayWith } from '../gateway.ts';
import { mintLocally } from './token.ts';

interface Options extends Common {
  readonly login: string;
  readonly group?: readonly string[];
}

const TOKEN_MS = 3_600_000;

export function consoleCommand(): Command {
  const login = described({
    name: 'login',
    summary: 'prints a link that logs in to the console of the running gateway: for one use within a minute; local issuer only',
    examples: [['interlock console login --login bob --group data-owners', 'open the link in a browser on this machine']],
  })
    .requiredOption('--login <login>', 'who logs in')
    .option('--group <group>', 'a group of theirs; may be repeated', list)
    .action(
      runs<Options>(async (output, options) => {
        const config = await loadConfig(options.config);
        const who = { login: options.login, groups: options.group ?? [], type: 'user', scope: 'approve', ttlMs: TOKEN_MS } as const;
        const { token } = await mintLocally(config, who);
        const link = (await (await gatewayWith(config, token)).post('/v1/console/links', {})) as {
          readonly url: string;
          readonly expires_at: string;
        };
        output.document(link, () => [link.url]);
        return EXIT.ok;
      }),
    );
  return new Command('console').description('the web console: login').addCommand(login);
}
