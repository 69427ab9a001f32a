/**
 * What a certificate of this installation says of its holder: URIs among its alternative names (RFC 5280 §4.2.1.6), nothing else, in this order.
 *
 *   interlock://engine/NAME                                the engine
 *   interlock://enforcer/NAME/ENROLMENT                    an enforcer …
 *   interlock://target/TARGET, once for each               … and what it may ask for
 */
import type { X509Certificate } from 'node:crypto';
import { LIMITS } from './limits.ts';

export type Holder =
  | { readonly kind: 'engine'; readonly name: string }
  | { readonly kind: 'enforcer'; readonly name: string; readonly enrolment: string; readonly targets: readonly string[] };

const SCHEME = 'interlock://';
const NAME = '[a-z0-9][a-z0-9_-]{0,62}';
const ENGINE = new RegExp(`^${SCHEME}engine/(${NAME})$`);
const ENFORCER = new RegExp(`^${SCHEME}enforcer/(${NAME})/(enr_[0-9A-HJKMNP-TV-Z]{26})$`);
const TARGET = new RegExp(`^${SCHEME}target/(${NAME})$`);
const WHOLE_NAME = new RegExp(`^${NAME}$`);

export function isName(text: string): boolean {
  return WHOLE_NAME.test(text);
}

/** What is no name of ours becomes one: a host's, for the engine. */
export function nameFrom(text: string): string {
  const name = text
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 63);
  return isName(name) ? name : 'engine';
}

export function urisOf(holder: Holder): readonly string[] {
  if (holder.kind === 'engine') return [`${SCHEME}engine/${holder.name}`];
  return [`${SCHEME}enforcer/${holder.name}/${holder.enrolment}`, ...holder.targets.map((target) => `${SCHEME}target/${target}`)];
}

/**
 * null: it says anything else. Node prints what stands there as `URI:…, URI:…` and quotes whatever could be mistaken for two (CVE-2021-44532): of what
 * is quoted, or is no URI of ours, no part matches.
 */
export function holderOf(certificate: X509Certificate): Holder | null {
  const { subjectAltName } = certificate;
  if (subjectAltName === undefined) return null;
  const parts = subjectAltName.split(', ');
  if (parts.length > LIMITS.targetsPerEnforcer + 1 || parts.some((part) => !part.startsWith('URI:'))) return null;
  const [first = '', ...rest] = parts.map((part) => part.slice('URI:'.length));
  const engine = ENGINE.exec(first)?.[1];
  if (engine !== undefined) return rest.length === 0 ? { kind: 'engine', name: engine } : null;
  const [, name, enrolment] = ENFORCER.exec(first) ?? [];
  const targets = rest.map((uri) => TARGET.exec(uri)?.[1]);
  if (name === undefined || enrolment === undefined || targets.length === 0) return null;
  if (!targets.every((target) => target !== undefined)) return null;
  return { kind: 'enforcer', name, enrolment, targets };
}
