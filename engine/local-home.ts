/** The decision service inside an enforcer's process: it judges by the policies that its engine sends (DESIGN §4). */
import { InterlockError } from '#schemas/errors';
import type { BundleSink } from './apart/parts.ts';
import type { Base } from './base.ts';
import { type TrustedKey, trustedKey } from './bundles/keys.ts';
import type { LocalDecisionService } from './decide/service.ts';
import type { EnforcerIdentity } from './enrolment/parts.ts';
import { openJudging } from './judging.ts';
import { openReceiver, pushedSource, trustedIn } from './policies.ts';

export interface LocalHome extends AsyncDisposable {
  readonly decisions: LocalDecisionService;
  readonly bundles: BundleSink;
  /** Resolves when policies are in force. @throws InterlockError why none are after `waitMs`: what was wrong with those that came */
  ready(waitMs: number): Promise<void>;
}

/** @throws InterlockError PARSER_UNAVAILABLE, BUNDLE_STATE */
export async function localHome({ config, clock, ids, log, journal }: Base, identity: Pick<EnforcerIdentity, 'trusted'>): Promise<LocalHome> {
  const record: Parameters<typeof openJudging>[1]['record'] = (event) => void journal.append(event);
  const decisions = await openJudging(config, { clock, ids, log, record, source: pushedSource });
  const told = (): readonly TrustedKey[] => identity.trusted.map((pem, index) => trustedKey(pem, `key ${index + 1} of the engine`));
  const pinned = config.enforcer?.trusted ?? null;
  const trusted = pinned === null ? told : trustedIn(pinned);
  const receiver = await openReceiver(decisions, { stateDir: config.stateDir, trusted, clock });
  const first = Promise.withResolvers<void>();
  let refused: InterlockError | null = null;
  return {
    decisions,
    bundles: {
      confirm: (revision) => receiver.confirm(revision),
      receive: async (bytes) => {
        const answer = await receiver.receive(bytes);
        if (answer.outcome === 'rejected') refused = new InterlockError(answer.code, answer.detail);
        else first.resolve();
        return answer;
      },
    },
    ready: async (waitMs) => {
      const late = setTimeout(() => first.reject(refused ?? new InterlockError('ENGINE_UNAVAILABLE', 'the engine sent no policies')), waitMs);
      await first.promise.finally(() => clearTimeout(late));
    },
    [Symbol.asyncDispose]: () => decisions[Symbol.asyncDispose](),
  };
}
