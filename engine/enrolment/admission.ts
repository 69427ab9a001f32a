/** Whether a certificate may come in: at the engine by authority, form and registry; at the enforcer by authority and form. */
import { createHash, X509Certificate } from 'node:crypto';
import type { Clock } from '#client/clock';
import type { Peer } from '../channel/parts.ts';
import { holderOf } from './certificate-names.ts';
import type { Registry } from './registry.ts';

/** What our authorisations answer: which enrolment let an enforcer in stands beside what the channel knows. */
export interface EnrolledPeer extends Peer {
  readonly kind: 'enforcer';
  readonly enrolment: string;
}

/** RFC 5280 §4.2.1.12: what the key may be used for. An enforcer's certificate is no engine's, and the other way round. */
const PURPOSES = { engine: '1.3.6.1.5.5.7.3.1', enforcer: '1.3.6.1.5.5.7.3.2' } as const;

export type Admission = { readonly peer: EnrolledPeer } | { readonly refused: string };

/** The channel has checked it against the authority too; nothing here rests on that. */
export function admitEnforcer(certificate: X509Certificate, authority: X509Certificate, registry: Registry, clock: Clock): Admission {
  const refused = formTrouble(certificate, authority, 'enforcer', clock);
  if (refused !== null) return { refused };
  const holder = holderOf(certificate);
  if (holder?.kind !== 'enforcer') return { refused: 'the certificate is no enforcer’s' };
  const { name, enrolment, targets } = holder;
  const record = registry.get(name);
  if (record === undefined) return { refused: `${name} is not enrolled here` };
  if (record.state === 'removed') return { refused: `${name} was removed` };
  if (record.enrolment !== enrolment) return { refused: `${name} joined again since, by another enrolment` };
  if (targets.length !== record.targets.length || targets.some((target) => !record.targets.includes(target)))
    return { refused: `${name} was enrolled for other targets` };
  return { peer: { name, kind: 'enforcer', fingerprint: fingerprintOf(certificate), targets, enrolment } };
}

export function admitEngine(certificate: X509Certificate, authority: X509Certificate, clock: Clock): Peer | null {
  if (formTrouble(certificate, authority, 'engine', clock) !== null) return null;
  const holder = holderOf(certificate);
  if (holder?.kind !== 'engine') return null;
  return { name: holder.name, kind: 'engine', fingerprint: fingerprintOf(certificate), targets: [] };
}

/** What is wrong with it, whoever holds it; null: nothing. */
function formTrouble(certificate: X509Certificate, authority: X509Certificate, kind: keyof typeof PURPOSES, clock: Clock): string | null {
  if (!certificate.checkIssued(authority) || !certificate.verify(authority.publicKey)) return 'the certificate is not of this installation';
  if (certificate.ca) return 'the certificate is an authority’s';
  const purposes = certificate.keyUsage as readonly string[] | undefined;
  if (purposes?.length !== 1 || purposes[0] !== PURPOSES[kind]) return `the certificate is not for an ${kind}`;
  const nowMs = clock.wallUs() / 1000;
  if (nowMs < certificate.validFromDate.getTime()) return 'the certificate is not valid yet: clocks differ';
  if (nowMs > certificate.validToDate.getTime()) return 'the certificate has ended';
  return null;
}

function fingerprintOf(certificate: X509Certificate): string {
  return `sha256:${createHash('sha256').update(certificate.raw).digest('hex')}`;
}
