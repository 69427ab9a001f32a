/** A2, A3: what was approved is what runs. The cases are data; each is sent as one Query and over the extended protocol, tampered with and not. */
import { readFileSync } from 'node:fs';
import type pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ApprovingGateway, ASK, refusalOf, startApproving } from '#test/support/approving-gateway';
import { startPostgres, type PostgresServer } from '#test/support/postgres';

interface Case {
  readonly name: string;
  readonly setup: readonly string[];
  readonly statement: string;
  readonly values?: readonly string[];
  readonly values_then?: readonly string[];
  readonly by: 'administrator' | 'session' | 'before';
  readonly tamper: readonly string[];
  readonly refused: string;
  readonly says?: string;
  readonly untouched: string;
  readonly ran: string;
}

const CASES = parse(readFileSync(new URL('../cases/approvals/tampering.yaml', import.meta.url), 'utf8')) as readonly Case[];
const MODES = ['simple', 'extended'] as const;
type Mode = (typeof MODES)[number];

describe.each([15, 17] as const)('PostgreSQL %i', (major) => {
  let server: PostgresServer;
  let patient: ApprovingGateway;
  let hasty: ApprovingGateway;

  beforeAll(async () => {
    server = await startPostgres({ major });
    await server.query('CREATE ROLE clerk');
    patient = await startApproving({ server });
    hasty = await startApproving({ server, waitMs: 30 });
  });
  afterAll(async () => {
    await patient?.[Symbol.asyncDispose]();
    await hasty?.[Symbol.asyncDispose]();
    await server?.stop();
  });
  beforeEach(async () => {
    await server.query(
      'DROP SCHEMA IF EXISTS evil CASCADE; DROP SCHEMA IF EXISTS postgres CASCADE; DROP SCHEMA public CASCADE; CREATE SCHEMA public',
    );
  });

  afterEach(async () => {
    for (const gateway of [patient, hasty]) {
      for (const left of gateway.book.list({ state: ['open', 'approved'] })) await gateway.book.supersede(left.approval_id, 'the test is over');
    }
  });

  const holds = async (sql: string): Promise<boolean> => (await server.query<{ yes: boolean }>(`SELECT (${sql}) AS yes`)).rows[0]?.yes === true;
  const each = CASES.flatMap((one) => MODES.filter((mode) => mode === 'extended' || !one.values).map((mode) => ({ ...one, mode })));

  test.each(each)('$name ($mode): refused, and nothing was touched', async (one) => {
    for (const sql of one.setup) await server.query(sql);
    const refused = one.by === 'session' ? await afterTheWait(one, true) : await whileItWaits(one, true);
    expect(await holds(one.untouched)).toBe(true);
    expect(refused.code).toBe(one.refused === 'anew' ? 'IL001' : one.refused);
    if (one.says !== undefined) expect(refused.message).toMatch(new RegExp(one.says));
  });

  test.each(each)('$name ($mode): its twin, not tampered with, runs', async (one) => {
    for (const sql of one.setup) await server.query(sql);
    const none = one.by === 'session' ? afterTheWait(one, false) : whileItWaits(one, false);
    await expect(none).rejects.toThrow('it ran');
    expect(await holds(one.ran)).toBe(true);
  });

  /** The verdict comes while the client waits. */
  async function whileItWaits(one: Case & { readonly mode: Mode }, tampers: boolean): Promise<pg.DatabaseError> {
    await using client = await connected(patient);
    if (tampers && one.by === 'before') for (const sql of one.tamper) await client.query(sql);
    const text = `${one.statement} ${ASK}`;
    const running = refusalOf(send(client, text, one.mode, one.values));
    running.catch(() => {});
    const { approval_id } = await patient.opened(text);
    if (tampers && one.by === 'administrator') for (const sql of one.tamper) await server.query(sql);
    await patient.approve(approval_id);
    const refused = await running;
    // a difference opens no second chance by itself
    expect(patient.book.list({ state: 'open' })).toEqual([]);
    return refused;
  }

  /** The wait had ended; the client sends it again once it is approved. */
  async function afterTheWait(one: Case & { readonly mode: Mode }, tampers: boolean): Promise<pg.DatabaseError> {
    await using client = await connected(hasty);
    const text = `${one.statement} ${ASK}`;
    expect(await refusalOf(send(client, text, one.mode, one.values))).toMatchObject({ code: 'IL001' });
    const { approval_id } = await hasty.opened(text);
    await hasty.approve(approval_id);
    if (tampers) for (const sql of one.tamper) await client.query(sql);
    const refused = await refusalOf(send(client, text, one.mode, (tampers ? one.values_then : undefined) ?? one.values));
    const used = { state: one.refused === 'IL003' ? 'superseded' : 'approved', uses: 0 };
    expect(hasty.book.show(approval_id)).toMatchObject(used);
    return refused;
  }
});

async function connected(gateway: ApprovingGateway): Promise<pg.Client & AsyncDisposable> {
  const client = await gateway.client();
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.end() });
}

function send(client: pg.Client, text: string, mode: Mode, values: readonly string[] = []): Promise<pg.QueryResult> {
  return client.query({ text, values: [...values], ...(mode === 'extended' && { queryMode: 'extended' }) } as pg.QueryConfig);
}
