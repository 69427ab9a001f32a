/** E4: `not input.x.y` is silent where x has no y. So a request with any field missing through a fault of ours is refused, whatever policies say. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { DecisionRequest } from '#schemas/decision-request';
import { silentLog } from '#client/log';
import { openReaders, type Readers } from '#engine/cli/decide/readers';
import { buildPolicies } from '#engine/decide/bundle';
import { Judge } from '#engine/decide/judge';
import { opaProgram, openService, scope } from '#test/support/decide';

const ALLOW_ALL = new URL('../policies/allow-all', import.meta.url).pathname;

/** What the contract marks with `?` (CONTRACT §1, §2), as far as this request has it. */
const OPTIONAL: ReadonlySet<string> = new Set([
  'resource.properties.server_version',
  'resource.properties.database',
  'context.transaction',
  'context.settings',
  'context.settings.search_path',
  'resource.properties.labels.team',
  'sql.effects[].object.schema',
  'sql.statements[].functions[].volatility',
  'sql.statements[].copy',
]);

let readers: Readers;
beforeAll(async () => void (readers = await openReaders()));
afterAll(async () => await readers[Symbol.asyncDispose]());

test('each field of a request is missed when it is gone', async () => {
  const judge = await Judge.load(await buildPolicies(ALLOW_ALL, { data: [], opa: opaProgram }), { log: silentLog });
  const service = await openService(ALLOW_ALL, { facts: readers.facts, masks: readers.masks });
  const { subject, resource } = scope({ labels: { team: 'a' } });
  const { request } = await service.dryRun({
    subject,
    resource: { ...resource, properties: { ...resource.properties, database: 'shop' } },
    action: 'sql.execute',
    statement: "SET TIME ZONE 'UTC'; SELECT lower(a.x) FROM a WHERE a.y = $1; UPDATE b SET c = 1; COPY d TO STDOUT",
    settings: { search_path: 'public' },
    params: [{ index: 1, type: 'text', value: 'v', encoding: 'text', flows_to_code: false }],
  });
  service.close();
  const effect = (asked: unknown): string => {
    const { judgement } = judge.judge('request', null, () => asked as DecisionRequest, []).combined;
    return judgement.effect === 'allow' ? 'allow' : (judgement.reasons[0]?.code ?? '');
  };
  expect(effect(request)).toBe('allow');
  const wrong: string[] = [];
  let judged = 0;
  for (const { path, without } of lacking(request)) {
    judged++;
    const expected = OPTIONAL.has(path) ? 'allow' : 'REQUEST_INVALID';
    if (effect(without) !== expected) wrong.push(`${path}: ${effect(without)}`);
  }
  expect([...new Set(wrong)]).toEqual([]);
  expect(judged).toBeGreaterThan(100);
});

/** The request without one of its fields, for each of them. */
function* lacking(whole: unknown, path: string = '', rebuild = (value: unknown): unknown => value): Generator<{ path: string; without: unknown }> {
  if (Array.isArray(whole)) {
    for (const [at, item] of whole.entries()) yield* lacking(item, `${path}[]`, (value) => rebuild(whole.with(at, value)));
  } else if (whole !== null && typeof whole === 'object') {
    for (const [key, value] of Object.entries(whole)) {
      const here = path === '' ? key : `${path}.${key}`;
      yield { path: here, without: rebuild(Object.fromEntries(Object.entries(whole).filter(([other]) => other !== key))) };
      yield* lacking(value, here, (changed) => rebuild({ ...whole, [key]: changed }));
    }
  }
}
