import type { Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import type { Answer, Ask } from '../../calls/call.ts';
import type { LoadedConfig } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import type { Runbook } from '../../runbooks/runbook.ts';
import { described, list, runs, type Common } from '../command.ts';
import { doorOf, firstDatabase, loginOf, targetOf } from '../door.ts';
import { escapeText } from '../escape.ts';
import type { Output } from '../output.ts';
import { readTokenFile } from '../token-file.ts';

interface Options extends Common {
  readonly tokenFile?: string;
  readonly login?: string;
  readonly host?: string;
  readonly dir?: string;
  readonly list?: boolean;
  readonly show?: boolean;
  readonly target?: string;
  readonly statement?: string;
  readonly param?: readonly string[];
  readonly wait: boolean;
  readonly rows: string;
}

/** What a terminal or a pipe is given at most; a client of one's own has no such bound. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

export function runCommand(): Command {
  return described({
    name: 'run',
    summary: 'runs a runbook, or one statement, through the gateway: judged, approved, masked and recorded like everything else',
    examples: [
      ['interlock run --list', 'which runbooks there are, and what they take'],
      ['interlock run refund payment=42 reason="double charge" --token-file alice.token', 'a runbook with its values'],
      ['interlock run --target shop --statement "SELECT count(*) FROM orders" --token-file alice.token', 'one statement'],
    ],
  })
    .argument('[runbook]', 'name of a file in the folder of runbooks, without its ending')
    .argument('[values...]', 'NAME=VALUE for each parameter')
    .option('--token-file <file>', 'file with your token')
    .option('--login <login>', 'your login, where the token is not a JWT')
    .option('--host <host>', 'the gateway’s name as you reach it, where that is not what it listens on')
    .option('--dir <dir>', 'folder of runbooks; default: `runbooks.dir` of the configuration')
    .option('--list', 'list them')
    .option('--show', 'say what one does and takes, and run nothing')
    .option('--target <name>', 'with --statement: where')
    .option('--statement <sql>', 'one statement instead of a runbook')
    .option('--param <value>', 'of --statement: $1, $2 …; may be repeated', list)
    .option('--no-wait', 'where it needs approval, do not wait for it: exit 1 with the id; the request stays open')
    .option('--rows <n>', 'rows to show at most', '1000')
    .action(runs(run));
}

async function run(output: Output, options: Options, [name, ...values]: readonly string[]): Promise<number> {
  const config = await loadConfig(options.config);
  const { readRunbook, readRunbooks } = await import('../../runbooks/runbook.ts');
  const dir = options.dir ?? config.runbooksDir;
  if (options.list === true) return listed(output, await readRunbooks(dir));
  if (options.statement !== undefined) {
    if (name !== undefined || options.target === undefined) throw new InterlockError('USAGE', '--statement goes with --target, and with no runbook');
    const ask: Ask = { kind: 'sql', statement: options.statement, params: options.param ?? [], database: null };
    return await asked(output, config, { target: options.target, ask, as: 'interlock run' }, options);
  }
  if (name === undefined) throw new InterlockError('USAGE', 'name a runbook, or give --target and --statement', { hint: '`interlock run --list`' });
  const found = (await readRunbooks(dir)).find((one) => one.name === name);
  if (found === undefined) {
    const known = (await readRunbooks(dir)).map((one) => one.name);
    throw new InterlockError('USAGE', `there is no runbook \`${name}\` in ${dir}; there are: ${known.join(', ') || 'none'}`);
  }
  const runbook = await readRunbook(found.file);
  if (options.show === true) return listed(output, [runbook]);
  const { fill } = await import('../../runbooks/fill.ts');
  const filled = fill(runbook, pairs(values));
  const { target } = runbook;
  return await asked(output, config, { target, ask: filled, as: `interlock run ${name}` }, options);
}

function pairs(values: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    values.map((text) => {
      const equals = text.indexOf('=');
      if (equals < 1) throw new InterlockError('USAGE', `${text}: allowed is NAME=VALUE`);
      return [text.slice(0, equals), text.slice(equals + 1)];
    }),
  );
}

async function listed(output: Output, runbooks: readonly Runbook[]): Promise<number> {
  const { described: said } = await import('../../runbooks/fill.ts');
  const shown = runbooks.map((runbook) => ({ ...runbook, file: undefined }));
  output.document(shown, () =>
    runbooks.length === 0
      ? ['There are no runbooks.']
      : runbooks.flatMap(({ name, target, description, parameters = {} }) => [
          `${name}  on ${escapeText(target)}: ${escapeText(description)}`,
          ...Object.entries(parameters).map(([key, parameter]) => `  ${key}: ${escapeText(said(parameter))}`),
        ]),
  );
  return EXIT.ok;
}

interface Asked {
  readonly target: string;
  readonly ask: Ask;
  readonly as: string;
}

async function asked(output: Output, config: LoadedConfig, { target: name, ask, as }: Asked, options: Options): Promise<number> {
  const target = targetOf(config, name);
  if ((ask.kind === 'sql') !== (target.protocol === 'postgresql') || target.protocol === 'mcp')
    throw new InterlockError(
      'UNSUPPORTED',
      `${ask.kind === 'sql' ? 'a statement' : 'a request'} cannot be run on \`${name}\`, which speaks ${target.protocol}`,
    );
  if (options.tokenFile === undefined) throw new InterlockError('USAGE', '--token-file is needed');
  const rowsMax = Number(options.rows);
  if (!Number.isSafeInteger(rowsMax) || rowsMax < 1 || rowsMax > 100_000)
    throw new InterlockError('USAGE', `--rows ${options.rows}: allowed is 1 to 100000`);
  const token = await readTokenFile(options.tokenFile);
  const { call } = await import('../../calls/call.ts');
  const leaving = new AbortController();
  process.once('SIGINT', () => leaving.abort(new InterlockError('CANCELLED', 'cancelled; what waits for approval stays open')));
  const complete = ask.kind === 'sql' ? { ...ask, database: ask.database ?? (await firstDatabase(config, target)) } : ask;
  const answer = await call(await doorOf(config, target, options.host), complete, {
    login: options.login ?? loginOf(token, config),
    token,
    application: as,
    held: options.wait ? 'stay' : 'leave',
    rowsMax,
    bytesMax: ANSWER_BYTES_MAX,
    signal: leaving.signal,
    notice: (line) => output.say(line),
  });
  output.document(answer, () => told(output, answer));
  return answer.outcome === 'rows' || (answer.outcome === 'response' && answer.status < 400) ? EXIT.ok : EXIT.no;
}

function told(output: Output, answer: Answer): readonly string[] {
  switch (answer.outcome) {
    case 'rows': {
      const { columns, rows, truncated, tag } = answer;
      const shown = rows.map((row) => row.map((value) => value ?? ''));
      const lines =
        columns.length === 0
          ? []
          : output.table(
              columns.map((title) => ({ title: escapeText(title) })),
              shown,
            );
      return [...lines, `${tag === '' ? `${rows.length} rows` : tag}${truncated ? ' (there are more: --rows)' : ''}`];
    }
    case 'response':
      return [`${answer.status} ${escapeText(answer.media)}`, escapeText(answer.text)];
    case 'pending':
      return [answer.message, answer.hint].map(escapeText);
    case 'refused':
      return [answer.message, answer.detail, answer.hint].filter((line) => line !== '').map(escapeText);
  }
}
