import type { Command } from 'commander';
import { EXIT } from '#schemas/errors';
import type { Status } from '../../api/parts.ts';
import { loadConfig } from '../../config/load.ts';
import { described, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { openGateway } from '../gateway.ts';

interface Options extends Common {
  readonly tokenFile?: string;
}

export function statusCommand(): Command {
  return described({
    name: 'status',
    summary: 'how a running gateway is: policies in force, targets, journal; exit 1 when something is wrong',
    examples: [['interlock status --token-file alice.token', 'is it well, and which policies are in force?']],
  })
    .addOption(tokenFileOption())
    .action(
      runs<Options>(async (output, options) => {
        const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
        const status = (await gateway.get('/v1/status')) as Status;
        output.document(status, () => [
          `ok              ${status.ok ? 'yes' : 'NO'}`,
          `policies        ${status.revision}${status.policy_error === null ? '' : ' (the last good revision)'}`,
          ...(status.policy_error === null ? [] : [`policy error    ${escapeText(status.policy_error)}`]),
          ...Object.entries(status.targets).map(([name, target]) => `target          ${escapeText(`${name} ${words(target)}`)}`),
          `journal         ${escapeText(words(status.journal))}`,
          ...(status.projection === undefined ? [] : [`projection      ${escapeText(words(status.projection))}`]),
          `open approvals  ${status.open_approvals}`,
          `sessions        ${status.sessions}`,
          ...(status.notifications.channels === 0 ? [] : [`notifications   ${words(status.notifications)}`]),
        ]);
        return status.ok ? EXIT.ok : EXIT.no;
      }),
    );
}

function words(fields: object): string {
  return Object.entries(fields)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join(' ');
}
