/**
 * Metrics as text, in the two forms that scrapers ask for.
 * https://prometheus.io/docs/specs/om/open_metrics_spec/ · https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 *   # TYPE interlock_decisions counter
 *   # HELP interlock_decisions Decisions by verdict …
 *   interlock_decisions_total{target="shop",effect="allow",cached="true"} 42
 *   # EOF
 */
import type { Distribution, Family, Series } from './meter.ts';

export interface MetricsText {
  readonly type: string;
  readonly text: string;
}

const OPENMETRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PLAIN = 'text/plain; version=0.0.4; charset=utf-8';

/** @param accept of the request: OpenMetrics where it is asked for, else the older form, which everybody reads */
export function metricsText(families: readonly Family[], accept: string | undefined): MetricsText {
  const open = /\bapplication\/openmetrics-text\b/.test(accept ?? '');
  const lines = families.flatMap((family) => (family.numbers.length + family.distributions.length === 0 ? [] : block(family, open)));
  return { type: open ? OPENMETRICS : PLAIN, text: `${lines.join('\n')}\n${open ? '# EOF\n' : ''}` };
}

function block({ name, metric, numbers, distributions }: Family, open: boolean): readonly string[] {
  const { type, unit, help } = metric;
  const sample = type === 'counter' ? `${name}_total` : name;
  const family = open ? name : sample; // the older form names a counter by its sample
  return [
    `# TYPE ${family} ${type}`,
    ...(open && unit !== null ? [`# UNIT ${family} ${unit}`] : []),
    `# HELP ${family} ${escaped(help, open)}`,
    ...numbers.map(({ labels, value }) => `${sample}${labelled(labels)} ${value}`),
    ...distributions.flatMap((series) => histogram(name, series)),
  ];
}

function histogram(name: string, { labels, value }: Series<Distribution>): readonly string[] {
  let sum = 0;
  const buckets = [...value.counts].map((count, at) => {
    sum += count;
    const bound = value.bounds[at];
    return `${name}_bucket${labelled({ ...labels, le: bound === undefined ? '+Inf' : decimal(bound) })} ${sum}`;
  });
  return [...buckets, `${name}_count${labelled(labels)} ${sum}`, `${name}_sum${labelled(labels)} ${value.sum}`];
}

/** OpenMetrics wants canonical numbers for bounds: `1.0`, `5e-06`. */
function decimal(bound: number): string {
  if (Number.isInteger(bound)) return `${bound}.0`;
  return String(bound).replace(/e-(\d)$/, 'e-0$1');
}

function labelled(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value, true)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escaped(text: string, quotes: boolean): string {
  const safe = text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
  return quotes ? safe.replaceAll('"', '\\"') : safe;
}
