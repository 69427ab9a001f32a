import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { Check } from 'typebox/value';
import { describe, expect, test } from 'vitest';
import type { EventDraft } from '#client/journal';
import { exportJournal } from '#engine/journal/export';
import { readJournal } from '#engine/journal/reader';
import { verifyJournal } from '#engine/journal/verify';
import { EventBase, EVENTS, type Event } from '#schemas/event';
import { ALLOWED, cleared, DENIED, decided, FACTS, finished, intent, opened, received, REVISION, text } from '#test/support/journal-events';
import { faultyFiles, journalFolder } from '#test/support/journals';

const S = { sessionId: 'ses_01J0000000000000000000000A', statementId: 'stm_01J0000000000000000000000A', payload: text('select 1') };

async function all(events: AsyncIterable<Event>): Promise<Event[]> {
  const found: Event[] = [];
  for await (const event of events) found.push(event);
  return found;
}

describe('what is written is what is read (CONTRACT §4)', () => {
  test('one record for received, decided and cleared of a statement; every field comes back', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    journal.append(opened(S.sessionId));
    const position = intent(journal, S);
    await journal.durable(position);
    journal.append(finished(S));
    const events = await all(journal.events());
    await journal.close('test');
    const [first, second, third, last] = events.filter((event) => event.statement_id === S.statementId);
    expect([first?.type, second?.type, third?.type, last?.type]).toEqual([
      'statement.received',
      'statement.decided',
      'statement.cleared',
      'statement.finished',
    ]);
    expect([first?.seq, second?.seq, third?.seq]).toEqual([position, position, position]);
    expect([first?.index, second?.index, third?.index, last?.index]).toEqual([0, 1, 2, 0]);
    expect([first, second, third, last].map((event) => event?.session_seq)).toEqual([1, 2, 3, 4]);
    const payload = { digest: journal.digestOf(S.payload), bytes: 8, form: 'clear' };
    const binding = { ...decided(S).decision.binding, payload: payload.digest };
    const common = { session_id: S.sessionId, statement_id: S.statementId, target: 'shop', subject: 'https://issuer|alice' };
    expect(first).toMatchObject({ ...common, action: 'sql.execute', mode: 'simple', payload });
    expect(second).toMatchObject({
      ...common,
      decision: { decision_id: `dec_of_${S.statementId}`, ...ALLOWED, binding },
      cached: true,
      judged_us: 0.5,
    });
    expect(third).toMatchObject({ ...common, payload, binding, obligations: [] });
    expect(last).toMatchObject({
      ...common,
      outcome: 'ok',
      rows: 1,
      tag: 'SELECT 1',
      bytes: 71,
      response_digest: null,
      masked: {},
      duration_us: 140,
    });
    for (const event of events) {
      expect(Check(EventBase, event), event.type).toBe(true);
      expect(Check(EVENTS[event.type], event), event.type).toBe(true);
    }
  });

  test('every optional field, refusals, holds and a rewrite', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    const params = { bytes: Buffer.from([0, 1, 255]), media: 'params' as const };
    const shape = `sha256:${'c'.repeat(64)}`;
    const response = `sha256:${'d'.repeat(64)}`;
    const approval = { approval_id: 'apr_1', receipt: 'rcp_1' };
    journal.append(opened(S.sessionId));
    journal.append({ ...received(S), params, shape });
    const judged = decided(S);
    journal.append({ ...judged, cached: false, judged_us: 18.25, decision: { ...judged.decision, rewrite: { masked: ['public.customers.ssn'] } } });
    journal.append({
      type: 'statement.held',
      session_id: S.sessionId,
      statement_id: S.statementId,
      approval_id: 'apr_1',
      expires_at: '2026-11-23T11:00:00.000000Z',
    });
    journal.append(decided(S, ALLOWED, '2026-11-23T10:59:59.999999Z'));
    const clearance = cleared(S);
    journal.append({ ...clearance, params, approval, obligations: ['a/mask', 'b/limit'] });
    journal.append({ ...finished(S), outcome: 'error', sqlstate: '42P01', response_digest: response, masked: { 'public.customers.ssn': 3 } });
    const other = { ...S, statementId: 'stm_other' };
    journal.append(received(other));
    journal.append(decided(other, DENIED));
    journal.append({
      type: 'statement.refused',
      session_id: S.sessionId,
      statement_id: 'stm_other',
      code: 'DEFAULT_DENY',
      by: 'policy',
      sqlstate: '42501',
    });
    journal.append({ type: 'session.closed', session_id: S.sessionId, reason: 'client', statements: 2, bytes_in: 10, bytes_out: 20 });
    const events = (await all(journal.events())).filter((event) => event.session_id !== undefined);
    await journal.close('test');
    const of = <T extends Event['type']>(type: T): Extract<Event, { type: T }>[] =>
      events.filter((event): event is Extract<Event, { type: T }> => event.type === type);
    expect(of('statement.received')[0]).toMatchObject({ params: { digest: journal.digestOf(params), bytes: 3, form: 'clear' }, shape });
    expect(of('statement.decided')[0]).toMatchObject({ cached: false, judged_us: 18.25 });
    expect(of('statement.cleared')[0]).toMatchObject({ approval, obligations: ['a/mask', 'b/limit'], params: { bytes: 3 } });
    expect(of('statement.cleared')[0]?.binding.expires_at).toBe('2026-11-23T10:00:05.000001Z');
    expect(of('statement.finished')[0]).toMatchObject({
      outcome: 'error',
      sqlstate: '42P01',
      response_digest: response,
      masked: { 'public.customers.ssn': 3 },
    });
    expect(of('statement.refused')[0]).toMatchObject({ code: 'DEFAULT_DENY', by: 'policy', sqlstate: '42501', target: 'shop' });
    expect(events.map((event) => event.session_seq)).toEqual(events.map((_, index) => index));
    for (const event of events) expect(Check(EVENTS[event.type], event), event.type).toBe(true);
    expect(Buffer.from((await journal.payload({ digest: journal.digestOf(params) })) ?? [])).toEqual(params.bytes);
  });

  test('payloads of several segments are read in one pass, and what does not stand here is not among them', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    journal.append(opened(S.sessionId));
    const texts = Array.from({ length: 40 }, (_, i) => text(`select ${i} /* ${'x'.repeat(4000)} */`));
    for (const payload of texts) await journal.durable(journal.append(received({ ...S, payload })));
    const refs = texts.map((payload) => ({ digest: journal.digestOf(payload) }));
    const unknown = { digest: `sha256:${'0'.repeat(64)}` };
    const found = await journal.payloads([...refs, unknown]);
    await journal.close('test');
    expect(found.size).toBe(texts.length);
    expect(refs.map(({ digest }) => Buffer.from(found.get(digest) ?? []).toString())).toEqual(
      texts.map(({ bytes }) => Buffer.from(bytes).toString()),
    );
    expect(journal.status().bytes).toBeGreaterThan(2 * (64 << 10));
  });

  test('a rewritten decision names the bytes that went upstream instead', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    const rewritten = text('select redacted');
    const judged = decided(S);
    journal.append(received(S));
    journal.append({ ...judged, decision: { ...judged.decision, rewrite: { masked: ['public.customers.ssn'] } } });
    journal.append({ ...cleared(S), payload: rewritten });
    const event = (await all(journal.events())).find(({ type }) => type === 'statement.decided');
    await journal.close('test');
    expect(event).toMatchObject({ decision: { rewrite: { payload: journal.digestOf(rewritten), masked: ['public.customers.ssn'] } } });
  });

  test('N5: the digest of a payload is salted, and the caller’s plain digest is not kept', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    expect(journal.digestOf(text('select 1'))).not.toBe(journal.digestOf(text('select 1')));
    await journal.durable(intent(journal, S));
    await journal.close('test');
    expect(readFileSync(join(folder.dir, '00000001.seg')).includes(Buffer.alloc(32, 0xaa))).toBe(false);
  });

  test('a hot-path statement takes at most 300 bytes a record', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    journal.append(opened(S.sessionId));
    await journal.durable(intent(journal, S));
    const before = journal.status().bytes;
    const again = { ...S, statementId: 'stm_01J0000000000000000000000B' };
    await journal.durable(intent(journal, again));
    const first = journal.status().bytes - before;
    await journal.durable(journal.append(finished(again)));
    const both = journal.status().bytes - before;
    await journal.close('test');
    expect(first).toBeGreaterThan(100);
    expect(first).toBeLessThanOrEqual(300);
    expect(both).toBeLessThanOrEqual(400);
  });
});

describe('positions and durability', () => {
  test('a position is not durable until the disk said so, then it is a value', async () => {
    using folder = journalFolder();
    const files = faultyFiles();
    const journal = await folder.open({ files });
    const release = files.hold();
    const position = intent(journal, S);
    const wait = journal.durable(position);
    expect(wait).toBeInstanceOf(Promise);
    let durable = false;
    void Promise.resolve(wait).then(() => (durable = true));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(durable).toBe(false);
    release();
    expect(await wait).toBeGreaterThanOrEqual(position);
    expect(journal.durable(position)).toBe(position);
    await journal.close('test');
  });

  test('what gathers while the disk writes goes in one batch', async () => {
    using folder = journalFolder();
    const files = faultyFiles();
    const journal = await folder.open({ files });
    const { syncs } = journal.status();
    const release = files.hold();
    const first = journal.durable(journal.append(received(S)));
    await new Promise((resolve) => setImmediate(resolve));
    const waits = Array.from({ length: 50 }, (_, index) => journal.durable(intent(journal, { ...S, statementId: `stm_${index}` })));
    expect(new Set(waits).size).toBe(1);
    release();
    await Promise.all([first, ...waits]);
    expect(journal.status().syncs - syncs).toBe(2);
    await journal.close('test');
  });

  test('what nobody waits for reaches the disk too, though it came while the disk was busy', async () => {
    using folder = journalFolder();
    const files = faultyFiles();
    const journal = await folder.open({ files });
    const release = files.hold();
    const first = journal.durable(journal.append({ type: 'admin.changed', by: 'test', what: 'waited for' }));
    await new Promise((resolve) => setImmediate(resolve));
    const last = journal.append({ type: 'admin.changed', by: 'test', what: 'not waited for' });
    await new Promise((resolve) => setTimeout(resolve, 50)); // its time to go comes while the disk is busy
    release();
    await first;
    while (journal.status().records <= last) await new Promise((resolve) => setImmediate(resolve));
    expect(journal.durable(last)).toBe(last);
    await journal.close('test');
  });

  test('A6: of two that append to a stream at the same place, one is refused, before and after a restart', async () => {
    using folder = journalFolder();
    const event = (id: string): EventDraft => ({ type: 'approval.settled', approval_id: id, outcome: 'cancelled' });
    let journal = await folder.open();
    const first = journal.appendIf(event('apr_1'), { stream: 'apr_1', expectedLast: -1 });
    expect(first).not.toBeNull();
    expect(journal.appendIf(event('apr_1'), { stream: 'apr_1', expectedLast: -1 })).toBeNull();
    const second = journal.appendIf(event('apr_1'), { stream: 'apr_1', expectedLast: first as number });
    expect(journal.lastOf('apr_1')).toBe(second);
    expect(journal.lastOf('apr_2')).toBe(-1);
    await journal.close('test');
    journal = await folder.open();
    expect(journal.lastOf('apr_1')).toBe(second);
    expect(journal.appendIf(event('apr_1'), { stream: 'apr_1', expectedLast: first as number })).toBeNull();
    await journal.close('test');
    const events = await all(readJournal(folder.dir));
    expect(events.filter(({ type }) => type === 'approval.settled')).toHaveLength(2);
  });

  test('segments: what stands once is defined again in each, and everything is read across them', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    journal.append(opened(S.sessionId));
    for (let index = 0; index < 2000; index++) {
      const statement = { ...S, statementId: `stm_${index}` };
      intent(journal, statement);
      journal.append(finished(statement));
      if (index % 50 === 0) await journal.durable(journal.append({ type: 'admin.changed', by: 'test', what: String(index) }));
    }
    const live = await all(journal.events());
    const since = await all(journal.events({ since: 3000 }));
    await journal.close('test');
    expect(statSync(join(folder.dir, '00000005.seg')).size).toBe(64 << 10);
    expect(live.filter(({ type }) => type === 'statement.finished')).toHaveLength(2000);
    expect(live.map(({ seq, index }) => [seq, index])).toEqual(
      live.map(({ seq, index }) => [seq, index]).toSorted(([a = 0, b = 0], [c = 0, d = 0]) => a - c || b - d),
    );
    expect(since).toEqual(live.filter(({ seq }) => seq > 3000));
    expect(await verifyJournal(folder.dir, journal.publicKeyPem)).toMatchObject({ verified: true, problems: [] });
    const reopened = await folder.open();
    expect(reopened.recovered).toMatchObject({ cutBytes: 0, unknown: 0 });
    await reopened.close('test');
  });

  test('follow: what was there, then what comes, then the end', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    journal.append({ type: 'admin.changed', by: 'test', what: 'before' });
    const seen: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const event of journal.follow(stop.signal)) {
        if (event.type === 'admin.changed') seen.push(event.what);
        if (seen.at(-1) === 'last') stop.abort();
      }
    })();
    for (let index = 0; index < 100; index++) await journal.durable(journal.append({ type: 'admin.changed', by: 'test', what: String(index) }));
    journal.append({ type: 'admin.changed', by: 'test', what: 'last' });
    await following;
    expect(seen).toEqual(['before', ...Array.from({ length: 100 }, (_, index) => String(index)), 'last']);
    await journal.close('test');
  });

  test('export: every event, with the bytes it refers to', async () => {
    using folder = journalFolder();
    const journal = await folder.open();
    intent(journal, S);
    await journal.close('test');
    const lines: Record<string, unknown>[] = [];
    for await (const line of exportJournal(folder.dir)) lines.push(JSON.parse(line) as Record<string, unknown>);
    const find = (type: string): Record<string, unknown> | undefined => lines.find((line) => line['type'] === type);
    expect(find('statement.received')?.['payloads']).toEqual({ [journal.digestOf(S.payload)]: { text: 'select 1' } });
    expect(JSON.stringify(find('statement.decided')?.['payloads'])).toContain(JSON.stringify(JSON.stringify(FACTS)).slice(1, -1));
    expect(find('journal.closed')?.['reason']).toBe('test');
    expect(find('statement.decided')?.['decision']).toMatchObject({ revision: REVISION });
  });
});
