/** Metrics: one catalogue, closed labels, and a text that the format's own parser accepts. */
import { describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import type { EventDraft } from '#client/journal';
import { LABELS, METRICS, type LabelName, type Metric } from '#engine/operations/metrics/catalogue';
import { Meter } from '#engine/operations/metrics/meter';
import { countEvents } from '#engine/operations/metrics/of-events';
import { measureProcess } from '#engine/operations/metrics/process';
import { metricsText } from '#engine/operations/metrics/text';
import { ERRORS } from '#schemas/errors';
import { cleared, DENIED, decided, finished, opened, received, text } from '#test/support/journal-events';
import { metricsParser, type ParsedFamily } from '#test/support/openmetrics';

const parser = await metricsParser();
const CATALOGUE: Readonly<Record<string, Metric>> = METRICS;
const OPEN = 'application/openmetrics-text; version=1.0.0';

const SESSION = 'ses_01J0000000000000000000000A';
const statement = (digit: string) => ({ sessionId: SESSION, statementId: `stm_01J000000000000000000000${digit}A`, payload: text('select 1') });
const at = <T extends EventDraft>(event: T): T => ({ ...event, target: 'shop' });

function counted(...events: readonly EventDraft[]): Meter {
  const meter = new Meter(['shop']);
  const count = countEvents(meter, systemClock);
  for (const event of events) count(event);
  return meter;
}

/** `interlock_statements_total{target="shop"}` → 1 */
function samples(meter: Meter): ReadonlyMap<string, number> {
  const lines = metricsText(meter.collect(), OPEN)
    .text.split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

describe('the catalogue', () => {
  test('names end with their unit, counters do not end with _total, histograms have growing bounds, labels are known', () => {
    for (const [name, { type, unit, labels, buckets }] of Object.entries(CATALOGUE)) {
      expect(name).toMatch(/^[a-z][a-z_]*$/);
      if (unit !== null) expect(name).toMatch(new RegExp(`_${unit}$`));
      expect(name).not.toMatch(/_(total|bucket|count|sum|info|created)$/);
      expect(buckets !== undefined).toBe(type === 'histogram');
      expect(buckets ?? []).toEqual((buckets ?? []).toSorted((a, b) => a - b));
      for (const label of labels) expect(Object.keys(LABELS)).toContain(label);
    }
  });

  test('every label has a closed set: ours, or the names of the configuration (I5: nothing of a client, a policy or an answer)', () => {
    for (const [label, set] of Object.entries(LABELS as Readonly<Record<LabelName, 'targets' | readonly string[]>>)) {
      if (set === 'targets') expect(label).toBe('target');
      else for (const value of set) expect(value).toMatch(/^[A-Za-z0-9_.]{1,40}$/);
    }
  });

  test('what is outside of the set is no label: a type says so, and so does the meter', () => {
    const meter = new Meter(['shop']);
    // @ts-expect-error — not an outcome
    expect(() => meter.counter('interlock_statements_finished', { target: 'shop', outcome: 'DROP TABLE' })).toThrow(RangeError);
    expect(() => meter.counter('interlock_statements', { target: 'elsewhere' })).toThrow(RangeError);
    // @ts-expect-error — there is no such metric
    expect(() => meter.counter('interlock_logins', {})).toThrow();
  });
});

describe('what is recorded is counted', () => {
  test('statements, verdicts, outcomes, latency', () => {
    const one = statement('1');
    const all = samples(
      counted(
        at(opened(SESSION)),
        at(received(one)),
        at(decided(one)),
        at(cleared(one)),
        at(finished(one)),
        at(received(statement('2'))),
        at(decided(statement('2'), DENIED)),
      ),
    );
    expect(all.get('interlock_sessions_opened_total{target="shop"}')).toBe(1);
    expect(all.get('interlock_statements_total{target="shop"}')).toBe(2);
    const verdicts = (effect: string): number =>
      ['true', 'false'].reduce(
        (sum, cached) => sum + (all.get(`interlock_decisions_total{target="shop",effect="${effect}",cached="${cached}"}`) ?? 0),
        0,
      );
    expect([verdicts('allow'), verdicts('deny'), verdicts('mask')]).toEqual([1, 1, 0]);
    expect(all.get('interlock_statements_finished_total{target="shop",outcome="ok"}')).toBe(1);
    expect(all.get('interlock_statement_seconds_count{target="shop"}')).toBe(1);
    expect(
      (all.get('interlock_decision_seconds_count{cached="true"}') ?? 0) + (all.get('interlock_decision_seconds_count{cached="false"}') ?? 0),
    ).toBe(2);
  });

  test('a policy’s own code and a target that an outside point made up do not become labels', () => {
    const refused = (code: string, target: string): EventDraft => ({
      type: 'statement.refused',
      session_id: SESSION,
      statement_id: 'stm_1',
      target,
      code,
      by: 'policy',
      sqlstate: '42501',
    });
    const meter = counted(refused('SSN_078_05_1120', 'shop'), refused('NO_WHERE', 'shop'), refused('UNPARSED', 'x"} evil 1'));
    const written = metricsText(meter.collect(), OPEN).text;
    expect(written).not.toMatch(/SSN|NO_WHERE|evil/);
    const all = samples(meter);
    expect(all.get('interlock_refusals_total{target="shop",code="POLICY",by="policy"}')).toBe(2);
    expect(all.get('interlock_refusals_total{target="other",code="UNPARSED",by="policy"}')).toBe(1);
  });

  test('the time of a hold is taken from `held` to the decision that follows it', () => {
    let nowUs = 1_000_000;
    const meter = new Meter(['shop']);
    const count = countEvents(meter, { wallUs: () => nowUs, monotonicUs: () => nowUs });
    const one = statement('1');
    count(at(received(one)));
    count(at(decided(one)));
    count(at({ type: 'statement.held', session_id: SESSION, statement_id: one.statementId, approval_id: 'apr_1', expires_at: '' }));
    nowUs += 42_000_000;
    count(at(decided(one)));
    const all = samples(meter);
    expect(all.get('interlock_hold_seconds_count{target="shop"}')).toBe(1);
    expect(all.get('interlock_hold_seconds_sum{target="shop"}')).toBe(42);
    expect(all.get('interlock_hold_seconds_bucket{target="shop",le="30.0"}')).toBe(0);
    expect(all.get('interlock_hold_seconds_bucket{target="shop",le="60.0"}')).toBe(1);
  });
});

describe.skipIf(parser === null)('the text, by the format’s own parser', () => {
  const one = statement('1');
  const refused: EventDraft = {
    type: 'statement.refused',
    session_id: SESSION,
    statement_id: 'stm_2',
    target: 'shop',
    code: 'UNPARSED',
    by: 'support',
  };
  const meter = counted(at(opened(SESSION)), at(received(one)), at(decided(one)), at(cleared(one)), at(finished(one)), refused);
  measureProcess(meter);

  test.each(['openmetrics', 'plain'] as const)(
    '%s: every family has the type and unit of the catalogue, every label a value of its set',
    async (form) => {
      const { text: written } = metricsText(meter.collect(), form === 'openmetrics' ? OPEN : 'text/plain');
      const families = await (parser as NonNullable<typeof parser>)(written, form);
      expect(families.length).toBeGreaterThan(15);
      for (const family of families) check(family, form);
    },
  );

  test('and it is strict: a line of ours with a fault is refused', async () => {
    const { text: written } = metricsText(meter.collect(), OPEN);
    const parse = parser as NonNullable<typeof parser>;
    await expect(parse(written.replace('# EOF\n', ''), 'openmetrics')).rejects.toThrow();
    await expect(parse(written.replace(/le="\+Inf"/, 'le="9e9"'), 'openmetrics')).rejects.toThrow();
  });

  function check({ name, type, unit, samples: found }: ParsedFamily, form: 'openmetrics' | 'plain'): void {
    const metric = CATALOGUE[name];
    expect(metric, name).toBeDefined();
    expect(type).toBe(metric?.type);
    if (form === 'openmetrics') expect(unit).toBe(metric?.unit ?? '');
    for (const { labels } of found)
      for (const [label, value] of Object.entries(labels)) {
        if (label === 'le') continue;
        const set: 'targets' | readonly string[] = LABELS[label as LabelName];
        expect(set === 'targets' ? ['shop', 'other'] : set, `${name} ${label}`).toContain(value);
      }
  }
});

test('codes are those of ERRORS.md, and POLICY', () => {
  expect(LABELS.code).toEqual([...Object.keys(ERRORS), 'POLICY']);
});
