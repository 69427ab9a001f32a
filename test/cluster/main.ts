/** `npm run cluster`: exit 1 when an oracle found something, 2 on a wrong option. */
import { writeFileSync } from 'node:fs';
import { EXIT } from '#schemas/errors';
import { optionsOf } from '#test/support/command-line';
import { CLUSTER, clusterOptions } from './options.ts';
import { runCluster } from './run.ts';
import { table } from './table.ts';

const options = optionsOf(CLUSTER, process.argv.slice(2), clusterOptions);
const enough = new AbortController();
process.once('SIGTERM', () => process.exit(EXIT.fault)); // whoever was started ends too
process.once('SIGINT', () => {
  process.stderr.write('ends after this one; once more: now\n');
  process.once('SIGINT', () => process.exit(EXIT.fault));
  enough.abort();
});
const report = await runCluster(options, (line) => process.stderr.write(`${line}\n`), enough.signal);
const findings = [...(report.races?.findings ?? []), ...(report.upgrades?.findings ?? [])];
for (const { check, detail } of findings) process.stderr.write(`${check}: ${detail}\n`);
process.stderr.write(table(report));
const document = `${JSON.stringify(report, null, 2)}\n`;
if (options.json === null) process.stdout.write(document);
else writeFileSync(options.json, document);
process.exitCode = findings.length === 0 ? EXIT.ok : EXIT.no;
