/** What the composition roots plug into both ends, and what they get. */
import type { EnforcerSelf } from '#schemas/enforcer-report';
import type { BundleAnswer, CallAnswer, CallQuestion, SessionMessage } from '#schemas/apart';

/** The engine's newest policies, signed; null: none yet. */
export interface BundleSource {
  readonly current: { readonly revision: string; readonly bytes: Uint8Array } | null;
  /** Told of each new one. The function takes the listener out again. */
  onChange(listener: () => void): () => void;
}

/** Where bundles arrive in an enforcer that judges by them. */
export interface BundleSink {
  /** The sender says that this revision is its newest. False: it is not in force here, and is needed. */
  confirm(revision: string): boolean;
  /** Never rejects: what is wrong with it is answered. */
  receive(bytes: Uint8Array): Promise<BundleAnswer>;
}

/** The sessions of one enforcer, as the engine may see and end them. */
export interface SessionControl {
  list(): readonly SessionMessage[];
  terminate(sessionId: string): boolean;
}

/** ask: nothing is run, the approval that it needs is asked for. */
export type CallHow = 'run' | 'ask';

/** Runs one statement at the enforcer's own door, for whoever holds the token. Rejects NOT_REACHABLE … */
export type CallRunner = (how: CallHow, question: CallQuestion, signal: AbortSignal) => Promise<CallAnswer>;

/** How an enforcer is, target by target, whenever it is asked. */
export type SelfReport = () => readonly EnforcerSelf[];
