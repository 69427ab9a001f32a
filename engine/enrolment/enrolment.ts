/** The engine's half: invitations, joins, renewals and removals, each an event before it has an effect, and who is let in because of them. */
import { hostname } from 'node:os';
import { type Clock, timestamp } from '#client/clock';
import type { Ids } from '#client/ids';
import type { Log } from '#client/log';
import type { EnforcerView } from '#schemas/enrolment';
import { InterlockError } from '#schemas/errors';
import type { CallHandler } from '../channel/parts.ts';
import { admitEnforcer, type EnrolledPeer } from './admission.ts';
import { openAuthority } from './authority.ts';
import { isName, nameFrom } from './certificate-names.ts';
import { EngineCertificate } from './engine-certificate.ts';
import { Issuing, RENEW_METHOD } from './issuing.ts';
import { makeCode } from './join-code.ts';
import { JOIN_PROTOCOL } from './join-protocol.ts';
import { JoinServer } from './join-server.ts';
import { LIMITS } from './limits.ts';
import type { AddAsk, Enrolment, Invitation, RegistryJournal } from './parts.ts';
import type { EnforcerRecord, RegistryEvent } from './registry.ts';
import { RegistryStore } from './registry-store.ts';

export interface EnrolmentOptions {
  /** `keys` of the state directory: the authority's two files. */
  readonly keysDir: string;
  readonly journal: RegistryJournal;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  /** Life of enforcers' certificates; 24 h. */
  readonly certificateMs?: number;
  /** PEM (SPKI) of the keys that sign this installation's policies: enforcers learn them when they join, and with each renewal. */
  readonly trusted?: () => readonly string[];
  /** What the engine's certificate calls it; the host's name. */
  readonly name?: string;
}

/** How often it is looked whether a certificate ended. */
const LOOK_MS = 500;

/** @throws InterlockError STATE_MODE, CONFIG_INVALID */
export async function openEnrolment(options: EnrolmentOptions): Promise<Enrolment> {
  const { clock, log } = options;
  const authority = await openAuthority(options.keysDir, clock);
  const own = await EngineCertificate.open(authority, options.name ?? nameFrom(hostname()), clock, log);
  const told = new Listeners();
  const endings = new Endings(clock);
  const store = new RegistryStore(options.journal, clock, (after, event) => changed(after, event, endings, told));
  await store.restore();
  for (const record of store.registry.all()) if (record.certificateUntil !== null) endings.add(record.certificateUntil);
  const issuing = new Issuing({
    store,
    authority,
    clock,
    certificateMs: options.certificateMs ?? LIMITS.certificateMs,
    trusted: options.trusted ?? (() => []),
  });
  const joins = new JoinServer((question) => issuing.join(question), log);
  const timer = setInterval(() => {
    own.renewIfDue();
    if (endings.passed()) told.change();
  }, LOOK_MS);
  timer.unref();
  return {
    tls: () => own.tls,
    authorise: (certificate) => {
      const admission = admitEnforcer(certificate, authority.certificate, store.registry, clock);
      if ('peer' in admission) return admission.peer;
      log.warn({ why: admission.refused, serial: certificate.serialNumber }, 'a certificate was refused');
      return null;
    },
    onChange: (listener) => told.onChange(listener),
    onRemoved: (listener) => told.onRemoved(listener),
    list: () => store.registry.all().map((record) => viewOf(record, clock)),
    show: (name) => viewOf(known(store, name), clock),
    add: (ask) => store.alone(() => add(ask, store, options, authority.fingerprint)),
    remove: (name, by) =>
      store.alone(async () => {
        if (known(store, name).state === 'removed') return viewOf(known(store, name), clock);
        return viewOf(await store.append({ type: 'enforcer.removed', enforcer: name, by }), clock);
      }),
    follow: (event) => store.follow(event),
    joining: { protocol: JOIN_PROTOCOL, serve: (socket) => joins.serve(socket) },
    calls: { [RENEW_METHOD]: renewal(issuing) },
    close: () => {
      clearInterval(timer);
      joins.close();
    },
  };
}

function renewal(issuing: Issuing): CallHandler {
  return async (request, { peer }) => {
    // only what our own `authorise` let in has an enrolment
    if (!('enrolment' in peer)) throw new InterlockError('CERTIFICATE_REFUSED', 'only enforcers have their certificate renewed');
    return Buffer.from(JSON.stringify(await issuing.renew(peer as EnrolledPeer, request)));
  };
}

async function add(ask: AddAsk, store: RegistryStore, { clock, ids }: EnrolmentOptions, authority: Buffer): Promise<Invitation> {
  const { name, by, ttlMs } = ask;
  const targets = [...new Set(ask.targets)];
  checkAsk(ask, targets, store);
  const { text: code, hash } = makeCode(name, authority);
  const record = await store.append({
    type: 'enforcer.invited',
    enforcer: name,
    enrolment_id: ids.next('enr'),
    targets,
    code_hash: hash,
    expires_at: timestamp(clock.wallUs() + ttlMs * 1000),
    by,
  });
  return { code, enforcer: viewOf(record, clock) };
}

function checkAsk({ name, ttlMs, replace }: AddAsk, targets: readonly string[], { registry }: RegistryStore): void {
  const wrong = (what: string): never => {
    throw new InterlockError('USAGE', what);
  };
  if (!isName(name)) wrong('the name of an enforcer is of lower-case letters, digits, `-` and `_`, at most 63');
  if (targets.length === 0) wrong('an enforcer is enrolled for at least one target');
  if (targets.length > LIMITS.targetsPerEnforcer) wrong(`an enforcer is enrolled for at most ${LIMITS.targetsPerEnforcer} targets`);
  if (!targets.every(isName)) wrong('the name of a target is of lower-case letters, digits, `-` and `_`, at most 63');
  if (!(ttlMs >= LIMITS.codeTtlMsMin && ttlMs <= LIMITS.codeTtlMsMax)) wrong('a join code is valid for 1s to 7d');
  const record = registry.get(name);
  if (record === undefined && registry.size >= LIMITS.enforcers) wrong(`there are ${LIMITS.enforcers} enforcers already, removed ones included`);
  if (record?.state === 'joined' && replace !== true) throw new InterlockError('ENFORCER_EXISTS', `${name} has joined already`);
}

function known({ registry }: RegistryStore, name: string): EnforcerRecord {
  const record = registry.get(name);
  if (record === undefined) throw new InterlockError('ENFORCER_NOT_FOUND', `there is no enforcer ${name.slice(0, 64)}`);
  return record;
}

function changed(after: EnforcerRecord, event: RegistryEvent, endings: Endings, told: Listeners): void {
  if (after.certificateUntil !== null) endings.add(after.certificateUntil);
  if (event.type === 'enforcer.removed') told.removed(after.name);
  if (event.type === 'enforcer.removed' || event.type === 'enforcer.joined') told.change();
}

function viewOf({ name, state, targets, invitation, joinedAt, certificateUntil, by }: EnforcerRecord, clock: Clock): EnforcerView {
  const open = invitation !== null && invitation.usedBy === null && timestamp(clock.wallUs()) <= invitation.expiresAt;
  return {
    name,
    state,
    targets: [...(state === 'invited' ? (invitation?.targets ?? []) : targets)],
    invited_until: open ? invitation.expiresAt : null,
    joined_at: joinedAt,
    certificate_until: certificateUntil,
    by,
  };
}

class Listeners {
  readonly #change = new Set<() => void>();
  readonly #removed = new Set<(name: string) => void>();

  onChange(listener: () => void): () => void {
    this.#change.add(listener);
    return () => this.#change.delete(listener);
  }

  onRemoved(listener: (name: string) => void): () => void {
    this.#removed.add(listener);
    return () => this.#removed.delete(listener);
  }

  change(): void {
    for (const listener of this.#change) listener();
  }

  removed(name: string): void {
    for (const listener of this.#removed) listener(name);
  }
}

/** When certificates end: as many as there are enforcers, and renewals within a life. */
class Endings {
  readonly #clock: Clock;
  readonly #times = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(time: string): void {
    this.#times.add(time);
  }

  /** Whether one ended since it was asked last. */
  passed(): boolean {
    const now = timestamp(this.#clock.wallUs());
    let some = false;
    for (const time of this.#times) {
      if (time >= now) continue;
      this.#times.delete(time);
      some = true;
    }
    return some;
  }
}
