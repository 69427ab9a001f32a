/** `npm run chaos`: exit 1 when a check found something, 2 on a wrong option. */
import { writeFileSync } from 'node:fs';
import { EXIT } from '#schemas/errors';
import { optionsOf } from '#test/support/command-line';
import { CHAOS, chaosOptions, type ChaosOptions } from './options.ts';
import { runChaos } from './run.ts';
import { playTable } from './sabotages.ts';

/** Findings of one round that are shown as they come; the report has all. */
const SHOWN_MAX = 5;

const options = optionsOf(CHAOS, process.argv.slice(2), chaosOptions);
// whoever is told to end ends what it started
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(EXIT.no));
if (options.table) await table(options);
else await rounds(options);

async function table({ seed, json }: ChaosOptions): Promise<void> {
  const sabotages = await playTable(seed, ({ check, sabotage, built, component, fault, after }) => {
    process.stderr.write(`| ${check} | \`${sabotage}\`: ${built} | ${fault} of ${component} | ${after === null ? 'never' : after} |\n`);
  });
  write(json, { contract: 1, seed, sabotages });
  process.exitCode = sabotages.every(({ after }) => after !== null) ? EXIT.ok : EXIT.no;
}

async function rounds(options: ChaosOptions): Promise<void> {
  const report = await runChaos(options, (round, { findings, inFlight, reached, unknown }) => {
    process.stderr.write(
      `round ${round + 1}/${options.rounds}: ${reached} at the target, ${inFlight} in flight, ${unknown} unknown, ${findings.length} violations\n`,
    );
    for (const { check, detail } of findings.slice(0, SHOWN_MAX)) process.stderr.write(`  ${check}: ${detail}\n`);
  });
  if (report.power_by === 'layer') process.stderr.write('no loop mounts here: the power was cut on a file layer that drops what was not synced\n');
  write(options.json, report);
  process.exitCode = report.violations.length === 0 ? EXIT.ok : EXIT.no;
}

function write(file: string | null, report: object): void {
  const document = `${JSON.stringify(report, null, 2)}\n`;
  if (file === null) process.stdout.write(document);
  else writeFileSync(file, document);
}
