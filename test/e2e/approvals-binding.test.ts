/**
 * A2: an approval is bound to all that gives the statement its meaning. Each shape here is sent while an approval for the statement it was
 * made from lies unused: it must ask anew, or be refused, and the approval must stay unused until the very same statement comes.
 */
import { cpSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { int16, int32, message } from '#enforcers/postgres/protocol';
import { alice, refusalOf, type Shop, startShop } from '#test/support/approval-shop';
import type { TokenOptions } from '#test/support/gateway';
import { RawClient, say, startup } from '#test/support/raw-postgres';

let shop: Shop;
const policies = (): string => join(shop.dir, 'policies');
beforeAll(async () => {
  shop = await startShop({
    approvals: { wait: '30ms' },
    policies: (dir) => {
      cpSync(join(import.meta.dirname, '..', '..', 'policies'), join(dir, 'policies'), { recursive: true });
      return { dir: join(dir, 'policies'), data: [join(dir, 'data.yaml')], watch: true };
    },
  });
});
afterAll(() => shop?.[Symbol.asyncDispose]());

/** Opens a request with a wait that ends at once, and approves it. */
async function granted(ask: (client: pg.Client) => Promise<pg.QueryResult>, text: string, who: TokenOptions = alice): Promise<string> {
  const client = await shop.client(who);
  expect(await refusalOf(ask(client))).toMatchObject({ code: 'IL001' });
  const { approval_id } = await shop.opened(text);
  await shop.verdict(approval_id, 'approve');
  await client.end();
  return approval_id;
}

const carol: TokenOptions = { login: 'carol', groups: ['support'] };
const SHAPES: readonly {
  readonly name: string;
  readonly text: (row: number) => string;
  readonly sends: (text: string) => Promise<string>;
}[] = [
  { name: 'other parameters', text: withParam, sends: (text) => asked(text, { values: ['11'] }) },
  { name: 'the same value as another type', text: withParam, sends: (text) => raw(text, 21) },
  { name: 'one blank more', text: withParam, sends: (text) => asked(`${text} `) },
  { name: 'another spelling of the same', text: withParam, sends: (text) => asked(text.toLowerCase()) },
  { name: 'another search_path', text: withParam, sends: (text) => asked(text, { before: ["SET search_path TO ''"] }) },
  { name: 'another DateStyle', text: withParam, sends: (text) => asked(text, { before: ["SET DateStyle TO 'ISO, DMY'"] }) },
  { name: 'a transaction, where it was asked for without', text: withParam, sends: (text) => asked(text, { before: ['BEGIN'] }) },
  { name: 'another principal with the same rights', text: withParam, sends: (text) => asked(text, { who: carol }) },
  {
    name: 'an agent of the principal',
    text: withParam,
    sends: (text) => asked(text, { who: { login: 'bot', groups: ['support'], type: 'agent', for: 'alice' } }),
  },
  { name: 'another database of the target', text: withParam, sends: (text) => asked(text, { database: 'other' }) },
];
function withParam(row: number): string {
  return `UPDATE public.payments SET n = n + $1::int WHERE id = ${row}`;
}

/** The SQLSTATE that it is refused with. */
async function asked(
  text: string,
  more: { readonly values?: readonly string[]; readonly before?: readonly string[]; readonly who?: TokenOptions; readonly database?: string } = {},
): Promise<string> {
  const client = await shop.client(more.who, more.database);
  for (const statement of more.before ?? []) await client.query(statement);
  const { code = '' } = await refusalOf(client.query(text, [...(more.values ?? ['1'])]));
  await client.end();
  return code;
}

/** With the type of the parameter said in Parse, as node-postgres never does. */
async function raw(text: string, type: number): Promise<string> {
  await using client = await RawClient.connect(shop.gateway.port);
  client.send(startup({ user: 'alice', database: 'shop' }));
  await client.until('R');
  client.send(message(112, await shop.token(alice)));
  await client.ready();
  client.send(message(80, '', text, int16(1), int32(type)), say.bind('', '', ['1']), say.execute(''), say.sync);
  return /\0C(IL\d{3}|\w{5})\0/.exec((await client.ready()).find((answer) => answer.type === 'E')?.body.toString() ?? '')?.[1] ?? 'none';
}

describe('what an approval is not good for', () => {
  test.each(SHAPES.map((shape, index) => ({ ...shape, row: index + 1 })))('$name', async ({ text, sends, row }) => {
    const sql = text(row);
    const id = await granted((client) => client.query(sql, ['1']), sql);
    const before = (await shop.list()).length;
    expect(await sends(sql)).toBe('IL001');
    expect((await shop.list()).length).toBe(before + 1); // a request of its own
    expect(await shop.show(id)).toMatchObject({ state: 'approved', uses: 0 });
    expect(await shop.n(row)).toBe(0);
    const client = await shop.client();
    expect((await client.query(sql, ['1'])).rowCount).toBe(1);
    expect(await shop.show(id)).toMatchObject({ state: 'consumed' });
    await client.end();
  });

  test('another role is refused by the guardrails, whatever was approved', async () => {
    const client = await shop.client();
    expect(await refusalOf(client.query('SET ROLE pg_read_all_data'))).toMatchObject({ code: '42501' });
    await client.end();
  });
});

describe('policies that change between approval and use', () => {
  const requests = join('postgres', 'production_writes', 'production_writes.rego');
  /** As an editor does: the whole file at once. */
  async function edit(change: (text: string) => string): Promise<string> {
    const file = join(policies(), requests);
    const before = await revision();
    const edited = change(readFileSync(file, 'utf8'));
    writeFileSync(`${file}.new`, edited);
    renameSync(`${file}.new`, file);
    await expect.poll(revision, { timeout: 30_000, interval: 100 }).not.toBe(before);
    return revision();
  }
  const revision = async (): Promise<string> => ((await shop.call(alice, '/v1/status')).body as { revision: string }).revision;

  test('another requirement: the approval is closed as superseded, naming both revisions, and a new request opens', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 50';
    const first = await revision();
    const id = await granted((client) => client.query(text), text);
    const second = await edit((rego) => rego.replace('"valid_for_s": 900', '"valid_for_s": 600'));
    const client = await shop.client();
    expect(await refusalOf(client.query(text))).toMatchObject({ code: 'IL001', detail: expect.not.stringContaining(id) });
    const old = await shop.show(id);
    expect(old).toMatchObject({ state: 'superseded', uses: 0 });
    expect(old.detail).toContain(first);
    expect(old.detail).toContain(second);
    expect(await shop.opened(text)).toMatchObject({ supersedes: id, requirement: { valid_for_s: 600 } });
    expect(await shop.n(50)).toBe(0);
    await client.end();
  });

  test('the same requirement under another revision: the approval still counts', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 51';
    const id = await granted((client) => client.query(text), text);
    await edit((rego) => rego.replace('needs an approval.', 'needs somebody else to agree.'));
    const client = await shop.client();
    expect((await client.query(text)).rowCount).toBe(1);
    expect((await shop.show(id)).state).toBe('consumed');
    await client.end();
  });

  test('a denial beats an approval that was given before it', async () => {
    const text = 'UPDATE payments SET n = n + 1 WHERE id = 52';
    const id = await granted((client) => client.query(text), text);
    await edit(
      (rego) =>
        `${rego}\ndeny contains {"code": "FROZEN", "reason": "Nothing is written this week."} if {\n\tsome effect in input.sql.effects\n\teffect.verb == "update"\n}\n`,
    );
    const client = await shop.client();
    expect(await refusalOf(client.query(text))).toMatchObject({ code: '42501', detail: expect.stringContaining('code=FROZEN') });
    expect(await shop.show(id)).toMatchObject({ uses: 0 });
    expect(shop.relay.ran(text)).toBe(false);
    await client.end();
  });
});
