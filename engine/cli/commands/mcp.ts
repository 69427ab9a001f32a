import { Command } from 'commander';
import { systemClock, timestamp } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import type { ToolDifference } from '#enforcers/mcp/pinning';
import { EXIT, InterlockError } from '#schemas/errors';
import { loadConfig } from '../../config/load.ts';
import { described, list, runs, type Common } from '../command.ts';
import { targetOf } from '../door.ts';
import { escapeText } from '../escape.ts';
import type { Output } from '../output.ts';

interface PinOptions extends Common {
  readonly check?: boolean;
  readonly tool?: readonly string[];
}

export function mcpCommand(): Command {
  const pin = described({
    name: 'pin',
    summary: 'approves the tools of an MCP server as they are now: only these can be called, and one that changes is disabled',
    examples: [
      ['interlock mcp pin tools', 'all of them: shows what is new or changed, and writes tools.lock.json'],
      ['interlock mcp pin tools --tool search --tool read_file', 'these alone; others stay as they were pinned, or are not'],
      ['interlock mcp pin tools --check', 'writes nothing; exit 1 if anything differs'],
    ],
  })
    .argument('<target>')
    .option('--tool <name>', 'only this one (repeatable)', list)
    .option('--check', 'only compare')
    .action(runs(goPin));
  return new Command('mcp').description('MCP servers: pin').addCommand(pin);
}

async function goPin(output: Output, { config: file, check, tool }: PinOptions, [name = '']: readonly string[]): Promise<number> {
  const config = await loadConfig(file);
  const target = targetOf(config, name);
  if (target.protocol !== 'mcp' || target.mcp === null) throw new InterlockError('USAGE', `${name} is no MCP server`);
  const { openLeasing } = await import('../../leasing.ts');
  const { upstreamOf } = await import('../../mcp-target.ts');
  const { compared, toolsOf } = await import('#enforcers/mcp/pinning');
  const { pinsOf, readPins, writePins } = await import('#enforcers/mcp/pins');
  const log = { ...silentLog, hide: () => {}, forget: () => {} };
  const leasing = openLeasing({ live: { config, restart: [] }, clock: systemClock, ids: new Ids(systemClock), log });
  try {
    const found = await toolsOf(name, upstreamOf(target.mcp.server), leasing.desk, log);
    const missing = tool?.find((one) => !found.some((definition) => definition.name === one));
    if (missing !== undefined) throw new InterlockError('USAGE', `the server has no tool ${missing}`);
    const { pinsFile } = target.mcp;
    const differences = compared(pinsFile, found).filter((one) => tool === undefined || tool.includes(one.name));
    const differs = differences.some(({ what }) => what !== 'same');
    if (check !== true) {
      const kept =
        tool === undefined ? [] : (readPins(pinsFile)?.tools ?? []).filter((one) => !tool.includes(one.name)).map(({ definition }) => definition);
      const chosen = found.filter((definition) => tool === undefined || tool.includes(definition.name));
      writePins(pinsFile, pinsOf([...kept, ...chosen], timestamp(systemClock.wallUs())));
    }
    output.document({ target: name, file: pinsFile, written: check !== true, tools: differences }, () => [
      ...differences.flatMap(lines),
      check === true ? (differs ? 'nothing was written' : 'all as pinned') : `written: ${escapeText(pinsFile)}`,
    ]);
    return check === true && differs ? EXIT.no : EXIT.ok;
  } finally {
    await leasing.close();
  }
}

function lines({ name, what, description, before }: ToolDifference): readonly string[] {
  const head = `${what.padEnd(8)} ${escapeText(name)}`;
  if (what === 'same') return [head];
  return [
    head,
    ...(before === null ? [] : [`         was: ${escapeText(before)}`]),
    `         ${before === null ? '' : 'now: '}${escapeText(description)}`,
  ];
}
