/** `npm run chaos`: exit 1 when a check found something, 2 on a wrong option. */
import { writeFileSync } from 'node:fs';
import { EXIT } from '#schemas/errors';
import { chaosOptions, type ChaosOptions } from './options.ts';
import { runChaos } from './run.ts';

/** Findings of one round that are shown as they come; the report has all. */
const SHOWN_MAX = 5;

let options: ChaosOptions;
try {
  options = chaosOptions(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(EXIT.usage);
}
const report = await runChaos(options, (round, { findings, inFlight, reached, unknown }) => {
  process.stderr.write(
    `round ${round + 1}/${options.rounds}: ${reached} at the target, ${inFlight} in flight, ${unknown} unknown, ${findings.length} violations\n`,
  );
  for (const { check, detail } of findings.slice(0, SHOWN_MAX)) process.stderr.write(`  ${check}: ${detail}\n`);
});
if (report.power_by === 'layer') process.stderr.write('no loop mounts here: the power was cut on a file layer that drops what was not synced\n');
const document = `${JSON.stringify(report, null, 2)}\n`;
if (options.json === null) process.stdout.write(document);
else writeFileSync(options.json, document);
process.exitCode = report.violations.length === 0 ? EXIT.ok : EXIT.no;
