/** What an enforcer may ask over the channel, and what crosses it (E6): real connections, and the services behind them as small as they can be. */
import { expect, test, vi } from 'vitest';
import type { ApprovalDraft } from '#client/approvals';
import type { Identity } from '#client/identity';
import { silentLog } from '#client/log';
import { draftMessage, draftOf } from '#engine/apart/drafts';
import { engineHandlers } from '#engine/apart/engine-side';
import { enforcerHandlers } from '#engine/apart/enforcer-side';
import { Fleet } from '#engine/apart/fleet';
import { ask } from '#engine/apart/messages';
import { remoteApprovals } from '#engine/apart/remote-approvals';
import { remoteIdentity } from '#engine/apart/remote-access';
import type { ServedApprovals } from '#engine/apart/serve-approvals';
import { UseEnds } from '#engine/apart/use-ends';
import type { CallAnswer, CallQuestion, UseEnd } from '#schemas/apart';
import { systemClock } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import { draft } from '#test/support/approvals';
import { channelPair, type Pair } from '#test/support/channel';

const WITHIN = { deadlineMs: 5_000 };
const NEVER = (): never => {
  throw new Error('a question that must not get so far');
};
const BUNDLES = { current: null, onChange: () => () => {} };

interface Engine extends AsyncDisposable {
  readonly pair: Pair;
  readonly ended: UseEnd[];
}

/** An engine whose requests are all for the target `other`, and an enforcer that may ask for `shop`. */
async function engine(over: Partial<ServedApprovals> = {}, identity: Identity = { authenticate: NEVER }): Promise<Engine> {
  const ended: UseEnd[] = [];
  const approvals: ServedApprovals = {
    request: NEVER,
    settled: NEVER,
    consume: NEVER,
    cancel: NEVER,
    supersede: NEVER,
    hear: () => Promise.resolve(),
    show: () => ({ target: 'other' }),
    ended: (end) => ended.push(end),
    ...over,
  };
  const fleet = new Fleet({ bundles: BUNDLES, clock: systemClock, log: silentLog });
  const handlers = engineHandlers({
    approvals,
    fleet,
    identity,
    credentials: { lease: NEVER, keep: NEVER, release: NEVER },
    publicUrl: () => 'https://interlock.example.com',
    describe: () => null,
  });
  const pair = await channelPair({ listener: { handlers } });
  return {
    pair,
    ended,
    [Symbol.asyncDispose]: async () => {
      fleet.close();
      await pair[Symbol.asyncDispose]();
    },
  };
}

const refusal = (code: string): object => expect.objectContaining({ code });

test('E6: an enforcer asks for nothing that concerns another target than its certificate names', async () => {
  await using at = await engine();
  const { dialer } = at.pair;
  const ends = new UseEnds(dialer, silentLog);
  const approvals = remoteApprovals(dialer, ends);
  const foreign = draft({ target: 'other' });
  const use = { statementId: 'stm_1', enforcer: 'postgresql/other', nonce: 'non_1', draft: foreign };
  const asked = [
    remoteIdentity(dialer, 'other').authenticate('token', { scope: 'connect' }),
    ask(dialer, 'credentials.lease', { target: 'other' }, WITHIN),
    ask(dialer, 'credentials.keep', { target: 'other', leases: [] }, WITHIN),
    ask(dialer, 'credentials.release', { target: 'other', leases: [{ id: 'lea_1' }] }, WITHIN),
    ask(dialer, 'targets.describe', { targets: ['shop', 'other'] }, WITHIN),
    approvals.request(foreign),
    approvals.consume('apr_1', use),
    // the request is another target's, whatever the draft says
    approvals.consume('apr_1', { ...use, draft: draft({ target: 'shop' }) }),
    approvals.cancel('apr_1', 'test|ann'),
    approvals.supersede('apr_1', 'because'),
    approvals.settled('apr_1', new AbortController().signal),
  ];
  const heard = await Promise.allSettled(asked);
  expect(heard.map((one) => (one.status === 'rejected' ? (one.reason as InterlockError).code : 'answered'))).toEqual(
    asked.map(() => 'TARGET_NOT_GRANTED'),
  );
  ends.close();
});

test('E6, RFC 8707: an enforcer asks about tokens for the endpoint of its own target, and of no other', async () => {
  const asked: unknown[] = [];
  const authenticate = (_token: string, need: unknown): Promise<never> => {
    asked.push(need);
    return Promise.reject(new InterlockError('AUTH_FAILED', 'not a token of this test'));
  };
  await using at = await engine({}, { authenticate });
  const identity = remoteIdentity(at.pair.dialer, 'shop');
  const said = async (resource?: string): Promise<string> =>
    identity.authenticate('token', { scope: 'connect', ...(resource === undefined ? {} : { resource }) }).then(
      () => 'authenticated',
      (error: InterlockError) => error.code,
    );
  expect(await said()).toBe('AUTH_FAILED');
  expect(await said('https://tools.example.com:8443/mcp/shop')).toBe('AUTH_FAILED');
  expect(asked).toEqual([{ scope: 'connect' }, { scope: 'connect', resource: 'https://tools.example.com:8443/mcp/shop' }]);
  const foreign = ['/mcp/other', '', '/', '/mcp/shop/', '/mcp/shop?x', '/mcp/../mcp/shop', '/v1'].map((path) => `https://tools.example.com${path}`);
  for (const resource of [...foreign, 'shop', 'interlock']) expect(await said(resource), resource).toBe('TARGET_NOT_GRANTED');
  expect(asked).toHaveLength(2);
});

test('E6: a request that was opened through another engine is heard of before it is called unknown', async () => {
  let heard = false;
  const hear = (): Promise<void> => Promise.resolve(void (heard = true));
  const show = (): { target: string } => {
    if (!heard) throw new InterlockError('APPROVAL_NOT_FOUND', 'there is no approval request apr_1');
    return { target: 'other' };
  };
  await using at = await engine({ hear, show });
  const approvals = remoteApprovals(at.pair.dialer, { began: NEVER });
  const asked = [
    () => approvals.consume('apr_1', { statementId: 'stm_1', enforcer: 'postgresql/other', nonce: 'non_1', draft: draft({ target: 'other' }) }),
    () => approvals.cancel('apr_1', 'test|ann'),
    () => approvals.supersede('apr_1', 'because'),
    () => approvals.settled('apr_1', new AbortController().signal),
  ];
  for (const ask of asked) {
    heard = false;
    await expect(ask()).rejects.toMatchObject({ code: 'TARGET_NOT_GRANTED' }); // known, and judged
  }
});

test('how a use of another target ended is passed over, and does not keep one’s own from being heard', async () => {
  await using at = await engine({ show: (id) => ({ target: id === 'apr_mine' ? 'shop' : 'other' }) });
  const ends: UseEnd[] = ['apr_other', 'apr_mine'].map((approval_id) => ({ approval_id, statement_id: `stm_${approval_id}`, outcome: 'ok' }));
  await ask(at.pair.dialer, 'approvals.ended', { ends }, WITHIN);
  expect(at.ended.map(({ approval_id }) => approval_id)).toEqual(['apr_mine']);
});

test('an end is told again until an engine has heard it', async () => {
  let deaf = true;
  let refused = 0;
  const heard: string[] = [];
  const show = (): { target: string } => {
    if (!deaf) return { target: 'shop' };
    refused++;
    throw new InterlockError('APPROVAL_UNAVAILABLE', 'the book is not open');
  };
  await using at = await engine({ show, ended: ({ statement_id }) => heard.push(statement_id) });
  const ends = new UseEnds(at.pair.dialer, silentLog);
  const end = (id: string): void => {
    ends.began('apr_1', id);
    ends.ended({ statementId: id, outcome: 'ok', rows: 1 });
  };
  end('stm_1');
  await vi.waitFor(() => expect(refused).toBe(1));
  deaf = false;
  // with the next one, or to the next engine
  await vi.waitFor(() => {
    end('stm_2');
    expect(heard).toContain('stm_1');
  });
  await vi.waitFor(() => expect(heard).toEqual(expect.arrayContaining(['stm_1', 'stm_2'])));
  ends.close();
});

test('a draft crosses the channel whole: bytes, parameters, facts, estimate', () => {
  const whole: ApprovalDraft = {
    ...draft(),
    payload: { bytes: Buffer.from([0, 255, 10, 195, 40]), media: 'text' },
    params: { bytes: Buffer.from('p'), media: 'params' },
    sentence: 'deletes a row',
    estimate: { state: 'ok', rows: 3, cost: 1.5, plan: { bytes: Buffer.from('Seq Scan'), media: 'text' } },
  };
  expect(draftOf(JSON.parse(JSON.stringify(draftMessage(whole))) as ReturnType<typeof draftMessage>)).toEqual(whole);
});

test('what is not of its form is refused before anything sees it; what is only new is passed over', async () => {
  await using at = await engine();
  const { dialer } = at.pair;
  const send = (text: string): Promise<Uint8Array> => dialer.call('credentials.lease', Buffer.from(text), WITHIN);
  for (const bad of ['', '{', '[]', '{}', '{"target":7}', `{"target":"${'x'.repeat(65)}"}`])
    await expect(send(bad), bad).rejects.toEqual(refusal('CHANNEL_PROTOCOL'));
  await expect(send('{"target":"other","a_later_version":true}')).rejects.toEqual(refusal('TARGET_NOT_GRANTED'));
});

test('the engine lists and ends sessions at the enforcer; policies go where they are judged by', async () => {
  const terminated: string[] = [];
  const pushed: string[] = [];
  const bundle = { revision: `sha256:${'a'.repeat(64)}`, bytes: Buffer.from('a bundle') };
  const fleet = new Fleet({ bundles: { ...BUNDLES, current: bundle }, clock: systemClock, log: silentLog });
  const handlers = enforcerHandlers({
    run: NEVER,
    sessions: { list: () => [], terminate: (id) => id === 'ses_1' && terminated.push(id) > 0 },
    bundles: {
      confirm: () => pushed.length > 0,
      receive: (bytes) => {
        pushed.push(Buffer.from(bytes).toString());
        return Promise.resolve({ outcome: 'activated', revision: bundle.revision });
      },
    },
  });
  await using pair = await channelPair({ dialer: { handlers } });
  fleet.joined(pair.there);
  await vi.waitFor(() => expect(pushed).toEqual(['a bundle']));
  expect([await fleet.terminate('ses_1'), await fleet.terminate('ses_2')]).toEqual([true, false]);
  expect([terminated, await fleet.sessions()]).toEqual([['ses_1'], []]);
  await pair.dialer.close();
  await vi.waitFor(() => expect(fleet.list()[0]?.channel).toBe(null));
  fleet.close();
});

test('E6: a statement is run by a connected enforcer of its target, as its client asked for it, and by no other', async () => {
  const asked: (readonly [how: string, question: CallQuestion])[] = [];
  const run = (how: string, question: CallQuestion): Promise<CallAnswer> => {
    asked.push([how, question]);
    return Promise.resolve({ outcome: 'rows', columns: ['n'], rows: [['1'], [null]], truncated: false, tag: 'SELECT 2' });
  };
  const sessions = { list: () => [], terminate: () => false };
  const fleet = new Fleet({ bundles: BUNDLES, clock: systemClock, log: silentLog });
  const question = (target: string): CallQuestion => ({
    target,
    token: 'a-token',
    login: 'ann',
    application: 'interlock mcp',
    rows_max: 10,
    bytes_max: 1_000,
    ask: { kind: 'sql', statement: `SELECT '${'x'.repeat(100_000)}'`, params: ['1', null], database: null },
  });
  const never = new AbortController().signal;
  await expect(fleet.run('run', question('shop'), never)).rejects.toMatchObject({ code: 'ENFORCER_UNAVAILABLE' });
  await using pair = await channelPair({ dialer: { handlers: enforcerHandlers({ sessions, bundles: null, run }) } });
  fleet.joined(pair.there);
  await expect(fleet.run('run', question('other'), never)).rejects.toMatchObject({ code: 'ENFORCER_UNAVAILABLE' });
  expect(asked).toEqual([]);
  expect(await fleet.run('run', question('shop'), never)).toMatchObject({ outcome: 'rows', rows: [['1'], [null]] });
  await fleet.run('ask', question('shop'), never);
  expect(asked).toEqual([
    ['run', question('shop')],
    ['ask', question('shop')],
  ]);
  fleet.close();
});
