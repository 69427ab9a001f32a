/**
 * What others see of enrolment. The engine's half knows who is an enforcer of this installation, and of which targets; the enforcer's half keeps its
 * own key and certificate. Both speak for themselves on the channel (`tls`, `authorise`). README.md has join, certificates and events.
 */
import type { Position } from '#client/journal';
import type { EventDraft } from '#client/journal';
import type { Event } from '#schemas/event';
import type { EnforcerView } from '#schemas/enrolment';
import type { Authorise, CallHandler, ListenerOptions, TlsIdentity } from '../channel/parts.ts';

/** Where the registry's events stand: the engine's own journal, or what several engines share. */
export interface RegistryJournal {
  /** As `Journal.appendIf`; what several engines share answers later. */
  appendIf(
    event: EnforcerEventDraft,
    condition: { readonly stream: string; readonly expectedLast: Position },
  ): Position | null | Promise<Position | null>;
  durable(position: Position): unknown;
  /** Every durable event, oldest first: what is not the registry's is passed over. */
  events(): AsyncIterable<Event>;
}
export type EnforcerEventDraft = Extract<EventDraft, { type: `enforcer.${string}` }>;

/** The engine's half. */
export interface Enrolment {
  /** The engine's certificate for the channel; another one before it ends. */
  tls(): TlsIdentity;
  /** Enforcers of this installation, by certificate and registry: null for a removed, expired, foreign or otherwise wrong one. Synchronous; never throws. */
  readonly authorise: Authorise;
  /**
   * Somebody who was let in may not be any more (removed, another joined in its place, certificate ended): ask `authorise` again about every
   * connection (`listener.reauthorise()`). Within a second of the cause. The function takes the listener out again.
   */
  onChange(listener: () => void): () => void;
  /** This enforcer was removed: its leases end, its sessions are no longer known here. */
  onRemoved(listener: (name: string) => void): () => void;
  /** By name. */
  list(): readonly EnforcerView[];
  /** @throws InterlockError ENFORCER_NOT_FOUND */
  show(name: string): EnforcerView;
  /** Durable when it resolves. @throws InterlockError USAGE, ENFORCER_EXISTS, JOURNAL_UNAVAILABLE */
  add(ask: AddAsk): Promise<Invitation>;
  /** Durable when it resolves; who is connected is cut off by then. @throws InterlockError ENFORCER_NOT_FOUND, JOURNAL_UNAVAILABLE */
  remove(name: string, by: string): Promise<EnforcerView>;
  /** An event that another engine wrote on the shared registry: folded in as if it had been read at start. */
  follow(event: Event): void;
  /** For the channel's listener: who has no certificate yet is served here, and gets nothing but one. */
  readonly joining: NonNullable<ListenerOptions['joining']>;
  /** Channel methods that the enforcers call: renewal. */
  readonly calls: Readonly<Record<string, CallHandler>>;
  close(): void;
}

export interface AddAsk {
  readonly name: string;
  /** At least one; names of targets. */
  readonly targets: readonly string[];
  /** How long the code may be used. */
  readonly ttlMs: number;
  /** Who asks: a login. */
  readonly by: string;
  /** A name that is in use: who joins takes its place. Without it that is ENFORCER_EXISTS. */
  readonly replace?: boolean;
}

/** The code is shown once, and stored nowhere. */
export interface Invitation {
  readonly code: string;
  readonly enforcer: EnforcerView;
}

/** The enforcer's half: its own key, and the certificate that it has now. */
export interface EnforcerIdentity {
  readonly name: string;
  /** Of the certificate. */
  readonly targets: readonly string[];
  /** PEM (SPKI) of the keys by whose signature policies count: the engine's word, over a channel that it had to prove itself on. */
  readonly trusted: readonly string[];
  /** Wall clock, milliseconds: the last moment of the certificate. */
  readonly expiresAtMs: number;
  tls(): TlsIdentity;
  /** Engines of this installation, by certificate: null for anything else, another enforcer's included. */
  readonly authorise: Authorise;
  /** Told after each renewal (`dialer.rotated()`). */
  onRenewed(listener: () => void): () => void;
  /** From now on the certificate is renewed by itself at two thirds of its life, over this connection. */
  start(engine: RenewalCaller): void;
  close(): void;
}

/** What renewal needs of the channel's dialer. */
export interface RenewalCaller {
  call(method: string, payload: Uint8Array, options: { readonly deadlineMs: number; readonly signal?: AbortSignal }): Promise<Uint8Array>;
}
