/** METRICS.md, from the catalogue. */
import { LABELS, METRICS, type LabelName, type Metric } from './catalogue.ts';

export function renderMetrics(): string {
  const rows = Object.entries(METRICS as Readonly<Record<string, Metric>>).map(
    ([name, { type, unit, labels, help, roles }]) =>
      `| \`${type === 'counter' ? `${name}_total` : name}\` | ${type} | ${unit ?? '–'} | ${labels.map((label) => `\`${label}\``).join(', ') || '–'} | ${help}${roles === undefined ? '' : ` (${roles.join(', ')})`} |`,
  );
  return `# Metrics

Written by \`npm run generate\` from \`engine/operations/metrics/catalogue.ts\`. \`GET /metrics\` answers them as OpenMetrics 1.0 where that is asked for,
else in the older text form: on the API (\`interlock up\`, \`interlock engine\`) and on \`operations.listen\`. Who may read them: \`operations.metrics.readers\`.
What a process does not run, it does not tell. Histograms end with \`_bucket\`, \`_count\` and \`_sum\`.

| Metric | Type | Unit | Labels | Meaning |
| --- | --- | --- | --- | --- |
${rows.join('\n')}

## Labels

Each takes its values from a closed set: no text of a client, a policy or a target becomes one.

| Label | Values |
| --- | --- |
${(Object.keys(LABELS) as LabelName[]).map((label) => `| \`${label}\` | ${values(label)} |`).join('\n')}
`;
}

const SHOWN_MAX = 20;

function values(label: LabelName): string {
  const set: 'targets' | readonly string[] = LABELS[label];
  if (set === 'targets') return 'the names in `targets` of the configuration, and `other`';
  return set.length > SHOWN_MAX ? 'the codes of ERRORS.md, and `POLICY` for those of policies' : set.map((value) => `\`${value}\``).join(', ');
}
