/** Counts. A series is looked up once and kept by whoever counts: what then happens on the path of a statement is one addition. */
import { LABELS, METRICS, OTHER_TARGET, type LabelName, type LabelsOf, type Metric, type MetricName, type NameOf } from './catalogue.ts';

/** One number that only grows. */
export interface Cell {
  value: number;
}

/** One distribution: how many were at most each bound (not yet added up), and their sum. */
export class Distribution {
  readonly bounds: readonly number[];
  /** One more than bounds: what is beyond the last. */
  readonly counts: Float64Array;
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const { bounds, counts } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] as number)) at++;
    counts[at] = (counts[at] as number) + 1;
    this.sum += value;
  }
}

/** A number that is read when somebody asks for it. */
export type Reading = { [M in NameOf<'gauge' | 'counter'>]: readonly [metric: M, labels: LabelsOf<M>, value: number] }[NameOf<'gauge' | 'counter'>];

export interface Series<V> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: V;
}

/** By metric, in the order of the catalogue. */
export interface Family {
  readonly name: MetricName;
  readonly metric: Metric;
  readonly numbers: readonly Series<number>[];
  readonly distributions: readonly Series<Distribution>[];
}

export class Meter {
  readonly #targets: ReadonlySet<string>;
  readonly #cells = new Map<MetricName, Map<string, Series<Cell>>>();
  readonly #distributions = new Map<MetricName, Map<string, Series<Distribution>>>();
  readonly #sources: (() => Iterable<Reading>)[] = [];

  /** @param targets the names of the configuration: no other becomes a label */
  constructor(targets: Iterable<string>) {
    this.#targets = new Set([...targets, OTHER_TARGET]);
  }

  /** The name itself where it is configured, else `other`. */
  target(name: string | undefined): string {
    return name !== undefined && this.#targets.has(name) ? name : OTHER_TARGET;
  }

  get targets(): Iterable<string> {
    return this.#targets;
  }

  /** Always the same cell for the same labels. @throws RangeError for a value outside of the label's closed set */
  counter<M extends NameOf<'counter'>>(name: M, labels: LabelsOf<M>): Cell {
    return this.#series(this.#cells, name, labels, () => ({ value: 0 }));
  }

  histogram<M extends NameOf<'histogram'>>(name: M, labels: LabelsOf<M>): Distribution {
    const { buckets } = METRICS[name];
    return this.#series(this.#distributions, name, labels, () => new Distribution(buckets));
  }

  /** Asked at each reading. */
  read(source: () => Iterable<Reading>): void {
    this.#sources.push(source);
  }

  /** Everything as it is now. What throws is left out: a metric is no reason to fail. */
  collect(): readonly Family[] {
    const read = new Map<MetricName, Series<number>[]>();
    for (const source of this.#sources)
      for (const [name, labels, value] of source()) {
        if (!Number.isFinite(value)) continue;
        const series = read.get(name);
        const one = { labels: this.#checked(name, labels), value };
        if (series === undefined) read.set(name, [one]);
        else series.push(one);
      }
    return (Object.keys(METRICS) as MetricName[]).map((name) => ({
      name,
      metric: METRICS[name],
      numbers: [
        ...[...(this.#cells.get(name)?.values() ?? [])].map(({ labels, value }) => ({ labels, value: value.value })),
        ...(read.get(name) ?? []),
      ],
      distributions: [...(this.#distributions.get(name)?.values() ?? [])],
    }));
  }

  #series<V>(all: Map<MetricName, Map<string, Series<V>>>, name: MetricName, labels: Readonly<Record<string, string>>, make: () => V): V {
    const checked = this.#checked(name, labels);
    const key = Object.values(checked).join('\n');
    let family = all.get(name);
    if (family === undefined) all.set(name, (family = new Map()));
    let series = family.get(key);
    if (series === undefined) family.set(key, (series = { labels: checked, value: make() }));
    return series.value;
  }

  #checked(name: MetricName, labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
    const wanted: readonly LabelName[] = METRICS[name].labels;
    return Object.fromEntries(
      wanted.map((label) => {
        const value = labels[label] ?? '';
        const set: 'targets' | readonly string[] = LABELS[label];
        if (!(set === 'targets' ? this.#targets.has(value) : set.includes(value))) throw new RangeError(`${name}: no value of \`${label}\``);
        return [label, value];
      }),
    );
  }
}
