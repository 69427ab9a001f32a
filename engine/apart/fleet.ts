/** The enforcers that are connected to this engine: how they are, their sessions, and the policies that they are sent. */
import type { Clock } from '#client/clock';
import type { Log } from '#client/log';
import type { EnforcerSelf, JournalReport } from '#schemas/enforcer-report';
import { BundleAnswer, type CallAnswer, type CallQuestion, type SessionMessage } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import type { Channel, Peer } from '../channel/parts.ts';
import { requireGranted } from './granted.ts';
import { APART_LIMITS } from './limits.ts';
import { ask, form, type Answering } from './messages.ts';
import type { BundleSource, CallHow } from './parts.ts';
import { SharedCounts } from './shared-counts.ts';

/** One enforcer, as it was last heard of; of several connections under one name the newest. */
export interface Heard {
  readonly peer: Peer;
  /** null: it is gone. */
  readonly channel: Channel | null;
  readonly targets: readonly EnforcerSelf[];
  /** Wall clock, microseconds: the last report; null: none yet. */
  readonly seenUs: number | null;
  /** Monotonic, milliseconds since the last sign of it. */
  readonly silentMs: number;
}

export interface FleetOptions {
  readonly bundles: BundleSource;
  readonly clock: Clock;
  readonly log: Log;
  /** Told of each report: what an enforcer says of its journal. */
  readonly journals?: (report: JournalReport, enforcer: string) => void;
}

interface Member {
  channel: Channel | null;
  peer: Peer;
  targets: readonly EnforcerSelf[];
  seenUs: number | null;
  signMs: number;
}

export class Fleet {
  readonly #options: FleetOptions;
  readonly #counts: SharedCounts;
  readonly #members = new Map<string, Member>();
  /** One push at a time for each connection; what is newer meanwhile follows. */
  readonly #pushing = new Map<Channel, { again: boolean }>();
  readonly #listeners = new Set<() => void>();
  readonly #stop: () => void;
  readonly #timer: NodeJS.Timeout;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#counts = new SharedCounts(options.clock);
    this.#stop = options.bundles.onChange(() => this.#offerAll());
    // what an enforcer judges by must be confirmed again and again, or grows too old
    this.#timer = setInterval(() => this.#offerAll(), APART_LIMITS.confirmMs).unref();
  }

  /** For the listener: each new connection. */
  joined(channel: Channel): void {
    const { peer } = channel;
    const before = this.#members.get(peer.name);
    this.#members.set(peer.name, { channel, peer, targets: before?.targets ?? [], seenUs: before?.seenUs ?? null, signMs: this.#nowMs() });
    this.#options.log.info({ enforcer: peer.name, targets: peer.targets, version: channel.software }, 'an enforcer is connected');
    channel.onClose((reason) => this.#left(channel, reason));
    void this.#offer(channel);
    this.#changed();
  }

  /** The listener's handlers. */
  answering(): Answering<'enforcer.report' | 'usage.share'> {
    return {
      'usage.share': ({ agents }, { peer }) => ({ agents: this.#counts.share(peer.name, agents) }),
      'enforcer.report': ({ targets }, { peer, channel }) => {
        for (const { target } of targets) requireGranted(peer, target);
        const member = this.#members.get(peer.name);
        if (member === undefined) return {};
        const { clock, journals } = this.#options;
        for (const { journal } of targets) journals?.(journal, peer.name);
        Object.assign(member, { channel, peer, targets, seenUs: clock.wallUs(), signMs: this.#nowMs() });
        this.#changed();
        return {};
      },
    };
  }

  list(): readonly Heard[] {
    return [...this.#members.values()].map(({ signMs, ...member }) => ({ ...member, silentMs: this.#nowMs() - signMs }));
  }

  /** Something of what `list` says changed. The function takes the listener out again. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** All sessions that are open at connected enforcers. */
  async sessions(): Promise<readonly SessionMessage[]> {
    const asked = this.#channels().map(async (channel) => {
      try {
        return (await ask(channel, 'sessions.list', {}, WITHIN)).sessions;
      } catch (error) {
        this.#options.log.warn({ enforcer: channel.peer.name, err: error }, 'an enforcer did not list its sessions');
        return [];
      }
    });
    return (await Promise.all(asked)).flat();
  }

  /** False: no connected enforcer has it. @throws InterlockError ENFORCER_UNAVAILABLE: one did not answer, so nobody knows */
  async terminate(sessionId: string): Promise<boolean> {
    const asked = await Promise.allSettled(this.#channels().map((channel) => ask(channel, 'sessions.terminate', { session_id: sessionId }, WITHIN)));
    if (asked.some((one) => one.status === 'fulfilled' && one.value.terminated)) return true;
    const failed = asked.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    return false;
  }

  /** At an enforcer of the target. @throws InterlockError ENFORCER_UNAVAILABLE: none is connected to this engine */
  async run(how: CallHow, question: CallQuestion, signal: AbortSignal): Promise<CallAnswer> {
    const channel = this.#channels().find(({ peer }) => peer.targets.includes(question.target));
    if (channel !== undefined)
      return await ask(channel, how === 'ask' ? 'calls.ask' : 'calls.run', question, { deadlineMs: APART_LIMITS.callMs, signal });
    throw new InterlockError('ENFORCER_UNAVAILABLE', `no enforcer of \`${question.target}\` is connected to this engine`, {
      hint: `Connect to the target itself, as \`interlock connect ${question.target}\` says, or ask another engine.`,
    });
  }

  close(): void {
    this.#stop();
    clearInterval(this.#timer);
  }

  #channels(): readonly Channel[] {
    return [...this.#members.values()].map(({ channel }) => channel).filter((channel) => channel !== null);
  }

  #left(channel: Channel, reason: InterlockError): void {
    const member = this.#members.get(channel.peer.name);
    if (member?.channel !== channel) return;
    member.channel = null;
    this.#options.log.warn({ enforcer: channel.peer.name, reason: reason.message }, 'an enforcer is gone');
    const gone = [...this.#members].filter(([, one]) => one.channel === null);
    for (const [name] of gone.slice(0, Math.max(0, gone.length - APART_LIMITS.goneKept))) this.#members.delete(name);
    this.#changed();
  }

  #offerAll(): void {
    for (const channel of this.#channels()) void this.#offer(channel);
  }

  async #offer(channel: Channel): Promise<void> {
    const under = this.#pushing.get(channel);
    if (under !== undefined) {
      under.again = true;
      return;
    }
    const state = { again: true };
    this.#pushing.set(channel, state);
    try {
      while (state.again && channel.ended === null) {
        state.again = false;
        await this.#push(channel);
      }
    } catch (error) {
      if (channel.ended === null) this.#options.log.warn({ enforcer: channel.peer.name, err: error }, 'policies could not be sent to an enforcer');
    } finally {
      this.#pushing.delete(channel);
    }
  }

  async #push(channel: Channel): Promise<void> {
    const { current } = this.#options.bundles;
    if (current === null) return;
    const { needed } = await ask(channel, 'bundle.newest', { revision: current.revision }, WITHIN);
    if (!needed) return;
    const answer = ANSWER.read(await channel.call('bundle.push', current.bytes, { deadlineMs: APART_LIMITS.bundleMs }));
    const { log } = this.#options;
    const enforcer = channel.peer.name;
    if (answer.outcome === 'rejected') log.error({ enforcer, ...answer }, 'an enforcer refused the policies that it was sent');
    else log.info({ enforcer, ...answer }, 'an enforcer has the newest policies');
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #nowMs(): number {
    return this.#options.clock.monotonicUs() / 1000;
  }
}

const WITHIN = { deadlineMs: APART_LIMITS.answerMs };
const ANSWER = form(BundleAnswer, 'the answer to bundle.push');
