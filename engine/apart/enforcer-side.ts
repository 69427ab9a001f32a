/** What an enforcer answers its engine, and tells it by itself. */
import type { Log } from '#client/log';
import type { AgentCounts } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import type { Dialer, Handlers } from '../channel/parts.ts';
import { APART_LIMITS } from './limits.ts';
import { ask, encode, handlersOf } from './messages.ts';
import type { BundleSink, CallRunner, SelfReport, SessionControl } from './parts.ts';

export interface EnforcerSide {
  readonly sessions: SessionControl;
  /** null: the engine judges for all targets of this process. */
  readonly bundles: BundleSink | null;
  readonly run: CallRunner;
}

/** For the dialer: the engine asks over the connection that the enforcer opened. */
export function enforcerHandlers({ sessions, bundles, run }: EnforcerSide): Handlers {
  const calls = handlersOf({
    'sessions.list': () => ({ sessions: sessions.list().slice(0, SESSIONS_MAX) }),
    'sessions.terminate': ({ session_id }) => ({ terminated: sessions.terminate(session_id) }),
    'calls.run': (question, { signal }) => run('run', question, signal),
    'calls.ask': (question, { signal }) => run('ask', question, signal),
    'bundle.newest': ({ revision }) => ({ needed: bundles !== null && !bundles.confirm(revision) }),
  });
  return {
    calls: {
      ...calls,
      'bundle.push': async (payload) => {
        if (bundles === null) return encode({ outcome: 'unwanted', revision: '' });
        return encode(await bundles.receive(Buffer.from(payload)));
      },
    },
  };
}

const SESSIONS_MAX = 10_000;

/** What the ceilings of agents count. */
export interface Counters {
  counts(most: number): AgentCounts[];
  elsewhere(counted: readonly AgentCounts[]): void;
}

/** Tells the engine what agents did here, and hears what they did at its other enforcers, once a second. Answers how to stop. */
export function startSharing(engines: Pick<Dialer, 'call' | 'channel'>, counters: Counters, log: Log): () => void {
  let sharing = false;
  const share = async (): Promise<void> => {
    const agents = counters.counts(APART_LIMITS.agentsAtOnce);
    if (sharing || engines.channel === null || agents.length === 0) return;
    sharing = true;
    try {
      counters.elsewhere((await ask(engines, 'usage.share', { agents }, { deadlineMs: APART_LIMITS.answerMs })).agents);
    } catch (error) {
      // what was heard last goes on counting, as long as it may
      log.debug({ err: error }, 'what agents did at other enforcers was not heard');
    } finally {
      sharing = false;
    }
  };
  const timer = setInterval(() => void share(), APART_LIMITS.reportMs).unref();
  return () => clearInterval(timer);
}

/** Tells the engine how this enforcer is, once a second and to each new engine at once. Answers how to stop. */
export function startReporting(engines: Pick<Dialer, 'call' | 'channel' | 'onChange'>, report: SelfReport, log: Log): () => void {
  let telling = false;
  const tell = async (): Promise<void> => {
    if (telling || engines.channel === null) return;
    telling = true;
    try {
      await ask(engines, 'enforcer.report', { targets: [...report()] }, { deadlineMs: APART_LIMITS.answerMs });
    } catch (error) {
      // that it is silent shows at the engine; that the engine is gone shows elsewhere
      if (!(error instanceof InterlockError) || error.code !== 'ENGINE_UNAVAILABLE') log.warn({ err: error }, 'the engine did not take the report');
    } finally {
      telling = false;
    }
  };
  const stop = engines.onChange(() => void tell());
  const timer = setInterval(() => void tell(), APART_LIMITS.reportMs).unref();
  return () => {
    stop();
    clearInterval(timer);
  };
}
