import { readFile } from 'node:fs/promises';
import { Option, type Command } from 'commander';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import type { Decision } from '#schemas/decision';
import { TRANSACTION_STATES } from '#schemas/decision-request';
import { EXIT, InterlockError } from '#schemas/errors';
import { loadConfig } from '../../config/load.ts';
import { openLog } from '../../config/log.ts';
import type { DryRunResult } from '../../decide/dry-run.ts';
import { readCatalog } from '../catalog-file.ts';
import { described, list, runs } from '../command.ts';
import { readCases } from '../decide/cases.ts';
import type { DecideOptions } from '../decide/options.ts';
import { MAJORS } from '../majors.ts';
import { escapeText } from '../escape.ts';
import type { Output } from '../output.ts';

export function decideCommand(): Command {
  return described({
    name: 'decide',
    summary: 'what would policy say? judges without a running gateway, opens no request; exit 1 for deny and require_approval',
    examples: [
      ['interlock decide --target shop --login alice --group support --statement "DELETE FROM payments"', 'one statement'],
      [
        'interlock decide --target shop --login alice --group support --statement-file q.sql --params \'["42", null]\' --json',
        'with parameters; request and decision as JSON',
      ],
      [
        'interlock decide --target shop --login alice --group support --statement "SELECT * FROM customers" --catalog shop.json',
        'with the exact answer where columns are masked',
      ],
      ['interlock decide --target billing-api --login alice --group support --method POST --path /refunds --body \'{"charge":"c_1"}\'', 'a request'],
      ['interlock decide --target tools --login alice --group support --tool search --arguments \'{"query":"x"}\'', 'a call of a tool'],
      [
        'interlock decide --target billing-api --login alice --group support --request-file refund.http',
        'a request from a file: line, headers, body',
      ],
      [
        'interlock decide --cases cases.jsonl',
        'many, one JSON object a line: {id, subject, resource, statement, params?}, or `http`, or `mcp` in the place of `statement`',
      ],
    ],
  })
    .option('--target <name>', 'a target of the configuration')
    .option('--login <login>', 'who asks')
    .option('--group <group>', 'a group of theirs; may be repeated', list)
    .addOption(new Option('--type <type>', 'what they are').choices(['user', 'service', 'agent']).default('user'))
    .option('--for <login>', 'on whose behalf')
    .option('--for-group <group>', 'a group of that human: then an agent may do what both may; may be repeated', list)
    .option('--statement <sql>', 'the statement')
    .option('--statement-file <file>', 'the statement, from a file; - for standard input')
    .option('--method <method>', 'of an API: with --path', 'GET')
    .option('--path <path>', 'of an API: the path with its query')
    .option('--header <name: value>', 'of an API; may be repeated', list)
    .option('--body <text>', 'of an API: the body, JSON unless --header says otherwise')
    .option('--tool <name>', 'of an MCP server: the tool')
    .option('--arguments <json>', 'of an MCP server: its arguments', '{}')
    .option(
      '--request-file <file>',
      'of an API: a request, its line, headers, an empty line and the body, which may be binary; of an MCP server: a message of JSON-RPC; - for standard input',
    )
    .option('--params <json>', 'parameters: a list of texts, numbers and nulls, or of {type, value}')
    .option('--prepare', 'judge it as it is prepared, without parameters')
    .addOption(new Option('--transaction <state>', 'where the session stands').choices([...TRANSACTION_STATES]).default('idle'))
    .option('--setting <k=v>', 'a setting of the session, such as search_path=app; may be repeated', list)
    .option('--database <name>', 'default: the first one of the target')
    .addOption(new Option('--major <major>', 'version of the server').choices(MAJORS).default(MAJORS[0]))
    .option(
      '--catalog <file>',
      'a reading of the target’s catalog, JSON: with it masks are exact and `decision.rewrite` says so; without it they are judged by the names of tables in the statement, and what cannot be masked is not seen',
    )
    .addOption(new Option('--cases <file>', 'NDJSON in, NDJSON out; - for standard input').conflicts(['statement', 'statementFile']))
    .action(runs(decide));
}

async function decide(output: Output, options: DecideOptions): Promise<number> {
  const config = await loadConfig(options.config);
  const { openJudging } = await import('../../judging.ts');
  const { askedInput, caseInput, isMessage, messageInput } = await import('../decide/input.ts');
  const log = openLog({ level: 'error', format: process.stderr.isTTY ? 'pretty' : 'json', secrets: [] });
  await using service = await openJudging(config, { log, clock: systemClock, ids: new Ids(systemClock), record: () => {}, watch: false });
  const tables = options.catalog === undefined ? {} : { catalog: await readCatalog(options.catalog) };
  if (options.cases !== undefined) {
    for await (const line of readCases(options.cases)) {
      const { decision } = await service.dryRun({ ...(await caseInput(config, line, options)), ...tables });
      await output.line({ id: line.id, decision }, () => [JSON.stringify({ id: line.id, decision })]);
    }
    return EXIT.ok;
  }
  const input = isMessage(options)
    ? await messageInput(config, options, await requestOf(options))
    : askedInput(config, await statementOf(options), options);
  const result = await service.dryRun({ ...input, ...tables });
  output.document({ request: result.request, decision: result.decision }, () => told(result));
  return result.decision.effect === 'allow' || result.decision.effect === 'mask' ? EXIT.ok : EXIT.no;
}

async function requestOf({ requestFile, path, tool, statement, statementFile }: DecideOptions): Promise<Uint8Array | null> {
  if (requestFile === undefined) return null;
  if ([path, tool, statement, statementFile].some((other) => other !== undefined))
    throw new InterlockError('USAGE', '--request-file says all of it: no --path, --tool or --statement beside it');
  return await contentOf(requestFile);
}

async function statementOf({ statement, statementFile }: DecideOptions): Promise<string> {
  if ((statement === undefined) === (statementFile === undefined))
    throw new InterlockError('USAGE', 'one of --statement and --statement-file is needed (or --cases)');
  if (statement !== undefined) return statement;
  return (await contentOf(statementFile ?? '')).toString('utf8');
}

async function contentOf(file: string): Promise<Buffer> {
  return await readFile(file === '-' ? '/dev/stdin' : file).catch((error: unknown) => {
    throw new InterlockError('USAGE', `${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`, { cause: error });
  });
}

function told({ request, decision, byName }: DryRunResult): readonly string[] {
  return [
    decision.effect,
    ...decision.reasons.map(reason),
    ...decision.obligations.map((obligation) => `  must             ${obligation.type} ${escapeText(JSON.stringify(obligation.properties))}`),
    ...(byName && decision.obligations.some(({ type }) => type === 'mask')
      ? ['  note             masks were judged by the names of tables; --catalog gives the exact answer']
      : []),
    ...(decision.approval?.stages ?? []).map(
      ({ id, any_of, quorum }) =>
        `  approval         ${escapeText(id)}: ${quorum} of ${escapeText(any_of.map((one) => Object.values(one).join()).join(', '))}`,
    ),
    ...decision.shadow.map(({ policy, effect, code }) => `  shadow           ${escapeText(`${policy}: ${effect} ${code}`)}`),
    `  facts            ${escapeText(factsTold(request))}`,
  ];
}

function reason({ effect, policy, code, reason: words, hint }: Decision['reasons'][number]): string {
  return `  ${effect.padEnd(16)} ${escapeText(`${policy} ${code}: ${words}${hint === undefined ? '' : ` Hint: ${hint}`}`)}`;
}

function factsTold({ sql, http, mcp }: DryRunResult['request']): string {
  const facts = http ?? mcp ?? sql;
  if (facts?.parsed !== true) return `not understood: ${facts?.opaque.map(({ detail }) => detail).join('; ') || 'no reason given'}`;
  const kinds = http?.operation?.id ?? mcp?.tool?.name ?? mcp?.method ?? (sql?.statements ?? []).map(({ kind }) => kind).join(', ');
  return `${kinds || http?.method || 'nothing'}; effects: ${effects(facts.effects) || 'none'}`;
}

const EFFECTS_SHOWN = 8;

function effects(all: readonly { readonly verb: string; readonly object: { readonly qualified: string } }[]): string {
  const words = [...new Set(all.map(({ verb, object }) => `${verb} ${object.qualified}`))];
  return words.slice(0, EFFECTS_SHOWN).join(', ') + (words.length > EFFECTS_SHOWN ? ', …' : '');
}
