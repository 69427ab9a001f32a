/** `interlock skill`: agents of this installation, and the folders from which they work. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Command } from 'commander';
import type { AgentClaims, AgentView } from '#schemas/agent';
import type { Ceilings } from '#schemas/decision-request';
import { EXIT, InterlockError } from '#schemas/errors';
import type { LoadedConfig } from '../../config/config.ts';
import { loadConfig } from '../../config/load.ts';
import { described, list, runs, tokenFileOption, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import { type Gateway, openGateway } from '../gateway.ts';
import type { Output } from '../output.ts';
import { KEY_FILE, requireFree, writeKey, writeSkill } from '../skill/folder.ts';
import { makeAgentKey } from '../skill/keys.ts';
import { waysOf } from '../skill/ways.ts';

interface Asking extends Common {
  readonly tokenFile?: string;
}

interface Adding extends Asking {
  readonly target: readonly string[];
  readonly owner?: string;
  readonly group?: readonly string[];
  readonly readOnly?: boolean;
  readonly statementsPerMinute?: string;
  readonly rowsPerHour?: string;
  readonly distinctObjects?: string;
  readonly out?: string;
}

interface Placed extends Asking {
  readonly out?: string;
}

export function skillCommand(): Command {
  return new Command('skill')
    .description('agents, and the skill folders from which they work: add, list, show, rotate, update, remove')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(rotateCommand())
    .addCommand(updateCommand())
    .addCommand(removeCommand());
}

function addCommand(): Command {
  return described({
    name: 'add',
    summary: 'makes an agent with its own key and a skill folder; with your own token, or for somebody else as a member of `api.admins`',
    examples: [
      ['interlock skill add refunds --target shop --target billing-api --token-file alice.token', 'yours: it may do what you may, there'],
      ['interlock skill add refunds --target shop --owner alice --token-file root.token', 'alice’s, by an administrator'],
      ['interlock skill add report --target shop --read-only --rows-per-hour 500 --token-file alice.token', 'with ceilings of its own'],
    ],
  })
    .argument('<name>', 'what the agent and its folder are called')
    .requiredOption('--target <target>', 'what it may connect to; may be repeated', list)
    .option('--owner <login>', 'the human behind it: a login, or `iss|sub`; default: whoever asks')
    .option('--group <group>', 'a group of its own, one that you are in; may be repeated; default: those that its owner has now', list)
    .option('--read-only', 'it may only read')
    .option('--statements-per-minute <n>', 'at most so many statements in a minute')
    .option('--rows-per-hour <n>', 'at most so many rows in an hour')
    .option('--distinct-objects <n>', 'at most so many different tables, operations or tools in an hour')
    .option('--out <folder>', 'where the skill is written; default: ./NAME')
    .addOption(tokenFileOption())
    .action(runs(add));
}

function listCommand(): Command {
  return described({
    name: 'list',
    summary: 'your agents; for members of `api.admins` all of them',
    examples: [['interlock skill list --token-file alice.token', 'who acts for me, and where?']],
  })
    .addOption(tokenFileOption())
    .action(runs(listAll));
}

function showCommand(): Command {
  return described({
    name: 'show',
    summary: 'one agent, and what it may do as policy answers now',
    examples: [['interlock skill show refunds --token-file alice.token', 'what may it do?']],
  })
    .argument('<name>')
    .addOption(tokenFileOption())
    .action(runs(show));
}

function rotateCommand(): Command {
  return described({
    name: 'rotate',
    summary: 'a new key in the skill folder; the one before counts no more, and sessions that it let in end',
    examples: [['interlock skill rotate refunds --token-file alice.token', 'its key may have been seen']],
  })
    .argument('<name>')
    .option('--out <folder>', 'the skill’s folder; default: ./NAME')
    .addOption(tokenFileOption())
    .action(runs(rotate));
}

function updateCommand(): Command {
  return described({
    name: 'update',
    summary: 'writes SKILL.md and claims.json anew, by the policies in force now; the key stays',
    examples: [['interlock skill update refunds --token-file alice.token', 'policies have changed']],
  })
    .argument('<name>')
    .option('--out <folder>', 'the skill’s folder; default: ./NAME')
    .addOption(tokenFileOption())
    .action(runs(update));
}

function removeCommand(): Command {
  return described({
    name: 'remove',
    summary: 'ends an agent: its tokens count no more, and its sessions are cut within a second; the folder stays',
    examples: [['interlock skill remove refunds --token-file alice.token', 'now, everywhere']],
  })
    .argument('<name>')
    .addOption(tokenFileOption())
    .action(runs(remove));
}

async function add(output: Output, options: Adding, [name = '']: readonly string[]): Promise<number> {
  const config = await loadConfig(options.config);
  const folder = resolve(options.out ?? name);
  await requireFree(folder);
  const gateway = await openGateway(config, options.tokenFile);
  await waysOf(config, options.target, ''); // what cannot be told to an agent is found before there is one
  const key = makeAgentKey();
  const { target: targets, owner, group: groups } = options;
  const ask = { name, targets, ceilings: ceilingsOf(options), key: key.open, ...(owner && { owner }), ...(groups && { groups }) };
  const agent = (await gateway.post('/v1/agents', ask)) as AgentView;
  await writeKey(folder, key);
  const claims = await write(config, gateway, agent, folder);
  output.document({ agent, folder, claims: claims.claims.length, unknown: claims.unknown }, () => [
    `${folder}`,
    `  ${name} acts for ${escapeText(agent.owner.login)} on ${agent.targets.join(', ')}; its key is in ${KEY_FILE}, readable by you alone`,
    ...(agent.state === 'silent' ? [`  ${escapeText(agent.owner.login)} was not seen here yet: it gets tokens once they connect or log in`] : []),
    ...summary(claims),
    `  try it: ${folder}/scripts/token`,
  ]);
  return EXIT.ok;
}

async function listAll(output: Output, options: Asking): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const { items } = (await gateway.get('/v1/agents')) as { readonly items: readonly AgentView[] };
  const columns = [
    { title: 'NAME' },
    { title: 'STATE', marked: true },
    { title: 'FOR' },
    { title: 'TARGETS', shrinks: true },
    { title: 'SESSIONS' },
    { title: 'KEY SINCE' },
  ];
  const rows = items.map((each) => [each.name, each.state, each.owner.login, each.targets.join(', '), String(each.sessions), short(each.key_since)]);
  output.document(items, () => (items.length === 0 ? ['no agents'] : output.table(columns, rows)));
  return EXIT.ok;
}

async function show(output: Output, options: Asking, [name = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const agent = (await gateway.get(`/v1/agents/${encodeURIComponent(name)}`)) as AgentView;
  const claims = (await gateway.get(`/v1/agents/${encodeURIComponent(name)}/claims`)) as AgentClaims;
  const columns = [{ title: 'TARGET' }, { title: 'WHAT', shrinks: true }, { title: 'ANSWER', marked: true }, { title: 'CODES', shrinks: true }];
  const rows = claims.claims.map((claim) => [claim.target, claim.what, claim.effect, claim.codes.join(', ')]);
  output.document({ ...agent, claims: claims.claims, unknown: claims.unknown }, () => [
    ...told(agent),
    '',
    ...output.table(columns, rows),
    ...unknownLines(claims),
  ]);
  return EXIT.ok;
}

async function rotate(output: Output, options: Placed, [name = '']: readonly string[]): Promise<number> {
  const config = await loadConfig(options.config);
  const folder = await ownFolder(options, name);
  const gateway = await openGateway(config, options.tokenFile);
  const key = makeAgentKey();
  const agent = (await gateway.post(`/v1/agents/${encodeURIComponent(name)}/rotate`, { key: key.open })) as AgentView;
  await writeKey(folder, key);
  await write(config, gateway, agent, folder);
  output.document({ agent, folder }, () => [`${name} has a new key in ${folder}; the one before counts no more`]);
  return EXIT.ok;
}

async function update(output: Output, options: Placed, [name = '']: readonly string[]): Promise<number> {
  const config = await loadConfig(options.config);
  const folder = await ownFolder(options, name);
  const gateway = await openGateway(config, options.tokenFile);
  const agent = (await gateway.get(`/v1/agents/${encodeURIComponent(name)}`)) as AgentView;
  const claims = await write(config, gateway, agent, folder);
  output.document({ agent, folder, claims: claims.claims.length, unknown: claims.unknown }, () => [folder, ...summary(claims)]);
  return EXIT.ok;
}

async function remove(output: Output, options: Asking, [name = '']: readonly string[]): Promise<number> {
  const gateway = await openGateway(await loadConfig(options.config), options.tokenFile);
  const agent = (await gateway.delete(`/v1/agents/${encodeURIComponent(name)}`)) as AgentView;
  output.document(agent, () => [`${name} is removed: its tokens count no more, and its sessions end`]);
  return EXIT.ok;
}

async function write(config: LoadedConfig, gateway: Gateway, agent: AgentView, folder: string): Promise<AgentClaims> {
  const claims = (await gateway.get(`/v1/agents/${encodeURIComponent(agent.name)}/claims`)) as AgentClaims;
  const issuer = agent.subject.slice(0, agent.subject.lastIndexOf('|'));
  const { tls } = config.api;
  const apiCa = tls === null ? null : await readFile(tls.caFile ?? tls.certFile, 'utf8').catch(() => null);
  await writeSkill(folder, { agent, claims, ways: await waysOf(config, agent.targets, issuer), issuer, waitMs: config.approvals.waitMs, apiCa });
  return claims;
}

/** @throws InterlockError USAGE: no skill of this agent */
async function ownFolder({ out }: Placed, name: string): Promise<string> {
  const folder = resolve(out ?? name);
  const about = await readFile(`${folder}/agent.json`, 'utf8').catch(() => '');
  if (about.includes(`"agent": ${JSON.stringify(name)}`)) return folder;
  throw new InterlockError('USAGE', `${folder}: is not the folder of ${name}`, { hint: 'Name it with --out.' });
}

function ceilingsOf({ readOnly, statementsPerMinute, rowsPerHour, distinctObjects }: Adding): Ceilings {
  return {
    ...(readOnly === true && { read_only: true }),
    ...(statementsPerMinute !== undefined && { statements_per_minute: whole(statementsPerMinute, '--statements-per-minute') }),
    ...(rowsPerHour !== undefined && { rows_per_hour: whole(rowsPerHour, '--rows-per-hour') }),
    ...(distinctObjects !== undefined && { distinct_objects: whole(distinctObjects, '--distinct-objects') }),
  };
}

function whole(text: string, option: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new InterlockError('USAGE', `${option} ${text}: allowed is a whole number`);
  return Number(text);
}

function told({ name, state, owner, targets, groups, ceilings, sessions, key_since: since, by }: AgentView): readonly string[] {
  const limits = Object.entries(ceilings).map(([key, value]) => `${key} ${String(value)}`);
  return [
    `${name}: ${state}, for ${escapeText(owner.login)} on ${targets.join(', ')}`,
    `  groups of its own  ${escapeText(groups.join(', ') || 'none')}`,
    `  its human’s        ${escapeText(owner.groups?.join(', ') ?? 'not known')}${owner.seen_at === null ? '' : `, as of ${short(owner.seen_at)}`}`,
    ...(limits.length === 0 ? [] : [`  ceilings           ${limits.join(', ')}`]),
    `  key since          ${short(since)}`,
    `  open sessions      ${sessions}`,
    `  by                 ${escapeText(by)}`,
  ];
}

function summary(claims: AgentClaims): readonly string[] {
  const count = (effect: string): number => claims.claims.filter((claim) => claim.effect === effect).length;
  return [
    `  of ${claims.claims.length} things it could try: ${count('allow')} allowed, ${count('mask')} masked, ${count('require_approval')} with an approval, ${count('deny')} refused (claims.json)`,
    ...unknownLines(claims),
  ];
}

function unknownLines({ unknown }: AgentClaims): readonly string[] {
  return unknown.map(
    (target) => `  what ${target} holds is not known to the engine yet: \`interlock skill update\` once somebody has connected to it`,
  );
}

function short(time: string): string {
  return `${time.slice(0, 19).replace('T', ' ')} UTC`;
}
