/** What `decide.*` judge with: a pack of five packages, one session, one statement that was read. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '#client/clock';
import type { DecisionSession, Moment, SessionScope } from '#client/decision-service';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { type LocalDecisionService, openDecisionService } from '#engine/decide/service';
import { PostgresFacts } from '#engine/facts/postgres/reader';
import { tool } from '#tools/tools';

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export const SETTINGS: Readonly<Record<string, string>> = { search_path: 'public' };
export const MOMENT: Moment = { action: 'sql.execute', statementId: 'stm_bench', transaction: 'idle', settings: SETTINGS, params: null };
export const SCOPE: SessionScope = {
  sessionId: 'ses_bench',
  supportedObligations: ['mask'],
  client: { address: '127.0.0.1', application: 'bench', tls: false },
  subject: { type: 'user', id: 'bench|bench', properties: { login: 'bench', groups: ['app'] } },
  resource: { type: 'postgresql', id: 'shop', properties: { env: 'bench', labels: {}, database: 'shop', server_version: '15' } },
};

export async function openBenchDecisions(): Promise<{
  readonly facts: PostgresFacts;
  readonly service: LocalDecisionService;
  readonly session: DecisionSession;
}> {
  const facts = new PostgresFacts({ majors: [15] });
  const masks = { rewrite: (text: Uint8Array) => ({ ok: true as const, rewrite: { text, masked: [], toOriginal: (offset: number) => offset } }) };
  const service = await openDecisionService({
    policies: { dir: join(root, 'test', 'cases', 'decide', 'pack5'), data: [], watch: false, maxAgeMs: 86_400_000 },
    facts,
    masks,
    clock: systemClock,
    ids: new Ids(systemClock),
    log: silentLog,
    record: () => {},
    opa: () => tool('opa'),
  });
  return { facts, service, session: service.openSession(SCOPE) };
}
