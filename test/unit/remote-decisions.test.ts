import { describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import type { Moment, SessionScope } from '#client/decision-service';
import { silentLog } from '#client/log';
import { openRemoteDecisions } from '#engine/apart/remote-decisions';
import { serveDecisions } from '#engine/apart/serve-decisions';
import { channelPair } from '#test/support/channel';
import { FakeDecisions } from '#test/support/fake-decisions';

const SCOPE: SessionScope = {
  sessionId: 'ses_1',
  supportedObligations: ['mask'],
  client: { address: '127.0.0.1', application: 'test', tls: false },
  subject: { type: 'user', id: 'test|ann', properties: { login: 'ann', groups: ['app'] } },
  resource: { type: 'postgresql', id: 'shop', properties: { env: 'test', labels: {}, database: 'shop', server_version: '15' } },
};
const SETTINGS = { search_path: 'public' };
const MOMENT: Moment = { action: 'sql.execute', statementId: 'stm_1', transaction: 'idle', settings: SETTINGS, params: null };

describe('remote judging', () => {
  test('E6: a text is read once, and decided by its number', async () => {
    const fake = await FakeDecisions.open(15);
    await using pair = await channelPair({ listener: { handlers: serveDecisions({ decisions: fake, clock: systemClock }) } });
    const remote = openRemoteDecisions({ engines: pair.dialer, clock: systemClock, log: silentLog });
    const session = await remote.openSession(SCOPE);
    expect(session.opening.effect).toBe('allow');
    const statement = await session.read(Buffer.from('SELECT 1'), SETTINGS);
    expect(statement.facts.statements[0]?.kind).toBe('select');
    const decided = await session.decide(statement, MOMENT);
    expect(decided.decision).toMatchObject({ effect: 'allow', revision: fake.revision });
    const again = await session.decide(await session.read(Buffer.from('SELECT 1'), SETTINGS), { ...MOMENT, statementId: 'stm_2' });
    expect(again.judgement).toBe(decided.judgement);
    remote.close();
  });
});
