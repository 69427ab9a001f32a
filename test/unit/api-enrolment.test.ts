/** The routes of enrolment (E6): who may, what they answer, what they do not take. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Principal } from '#client/identity';
import { silentLog } from '#client/log';
import { type Api, openApi } from '#engine/api/server';
import { fakeApi, human } from '#test/support/api-parts';
import { type EnrolmentBed, enrolmentBed } from '#test/support/enrolment';

const PEOPLE: Readonly<Record<string, Principal>> = {
  root: human('root', ['admins'], ['approve']),
  'root-data': human('root', ['admins'], ['connect']),
  reader: human('reader', ['auditors'], ['approve']),
  alice: human('alice', ['support'], ['connect']),
};
const ASK = { name: 'shop-1', targets: ['shop'], ttl_ms: 60_000 };

let bed: EnrolmentBed;
let api: Api;

beforeEach(async () => {
  bed = await enrolmentBed();
  await open(['admins']);
});

afterEach(async () => {
  await api.close();
  await bed[Symbol.asyncDispose]();
});

test('an admin adds, sees and removes an enforcer, and the record says who it was', async () => {
  const added = await call('root', 'POST', '/v1/enrolment', ASK);
  expect(added).toMatchObject({ status: 200, body: { code: expect.stringMatching(/^ilj1\.shop-1\./), enforcer: { state: 'invited', by: 'root' } } });
  expect((added.body as { expires_at: string }).expires_at).toBe(bed.enrolment.show('shop-1').invited_until);
  expect(await call('root', 'GET', '/v1/enrolment')).toMatchObject({ status: 200, body: { items: [{ name: 'shop-1' }] } });
  expect(await call('root', 'GET', '/v1/enrolment/shop-1')).toMatchObject({ status: 200, body: { targets: ['shop'] } });
  expect(await call('root', 'DELETE', '/v1/enrolment/shop-1')).toMatchObject({ status: 200, body: { state: 'removed', by: 'root' } });
  expect(await call('root', 'GET', '/v1/enrolment/shop-2')).toMatchObject({ status: 404, body: { error: { code: 'ENFORCER_NOT_FOUND' } } });
});

test.for([
  ['reader', 403, 'NOT_ADMIN'],
  ['alice', 403, 'AUTH_SCOPE'],
  ['root-data', 403, 'AUTH_SCOPE'],
  ['nobody', 401, 'AUTH_FAILED'],
] as const)('%s may do none of it: %i %s', async ([who, status, code]) => {
  await call('root', 'POST', '/v1/enrolment', ASK);
  const tries = [
    await call(who, 'POST', '/v1/enrolment', { ...ASK, name: 'shop-2' }),
    await call(who, 'GET', '/v1/enrolment'),
    await call(who, 'GET', '/v1/enrolment/shop-1'),
    await call(who, 'DELETE', '/v1/enrolment/shop-1'),
  ];
  expect(tries).toMatchObject(tries.map(() => ({ status, body: { error: { code } } })));
  expect(bed.enrolment.list()).toMatchObject([{ name: 'shop-1', state: 'invited' }]);
});

test('where no group is named, nobody may', async () => {
  await api.close();
  await open([]);
  expect(await call('root', 'POST', '/v1/enrolment', ASK)).toMatchObject({ status: 403, body: { error: { code: 'NOT_ADMIN' } } });
});

test('what is not of the form is refused before anything is made', async () => {
  const wrong = [
    {},
    { ...ASK, name: 'Shop' },
    { ...ASK, targets: [] },
    { ...ASK, targets: 'shop' },
    { ...ASK, targets: ['a/b'] },
    { ...ASK, ttl_ms: 1 },
    { ...ASK, by: 'carol' },
  ];
  for (const body of wrong) expect(await call('root', 'POST', '/v1/enrolment', body), JSON.stringify(body)).toMatchObject({ status: 400 });
  expect(bed.enrolment.list()).toEqual([]);
});

async function open(admins: readonly string[]): Promise<void> {
  const { enrolment } = bed;
  const { parts } = fakeApi({ people: PEOPLE, approvals: [], readers: ['auditors'], parts: { admins, enrolment } });
  api = await openApi({ listen: { host: '127.0.0.1', port: 0 }, tls: null, parts, log: silentLog });
}

async function call(who: string, method: string, path: string, body?: object): Promise<{ readonly status: number; readonly body: unknown }> {
  const headers = { authorization: `Bearer ${who}`, ...(body === undefined ? {} : { 'content-type': 'application/json' }) };
  const response = await fetch(new URL(path, api.url), { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { status: response.status, body: await response.json() };
}
