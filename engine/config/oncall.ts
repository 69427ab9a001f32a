/** `approvals.sources.oncall`: on-call calendars, checked and resolved. */
import type { Config, OnCall } from '#schemas/config';
import type { LoadedConfig, OnCallConfig, OnCallFrom } from './config.ts';
import type { Findings } from './places.ts';
import { type Absolute, secretSource } from './secret-source.ts';
import { staysHere } from './stays-here.ts';
import { durationMs } from './units.ts';

const CALENDARS_MAX = 100;
const REFRESH_MS_MIN = 5_000;
const TIMEOUT_MS_MAX = 60_000;
const MAX_AGE_MS_MAX = 8 * 86_400_000;

export function resolveOnCall(calendar: OnCall, absolute: Absolute): OnCallConfig {
  const { refresh = '5m', max_age = '1h', timeout = '5s', time_zone: timeZone = null, domain = null, logins = {} } = calendar;
  return {
    from: fromOf(calendar, absolute),
    refreshMs: durationMs(refresh),
    maxAgeMs: durationMs(max_age),
    timeoutMs: durationMs(timeout),
    timeZone,
    domain,
    logins: Object.fromEntries(Object.entries(logins).map(([name, login]) => [name.toLowerCase(), login])),
  };
}

/** That exactly one of them stands there is checked by the rules. */
function fromOf({ file, url, url_from: reference, ca }: OnCall, absolute: Absolute): OnCallFrom {
  const caFile = ca === undefined ? null : absolute(ca);
  if (file !== undefined) return { kind: 'file', path: absolute(file) };
  if (reference !== undefined) return { kind: 'secret', url: secretSource(reference, absolute), caFile };
  return { kind: 'url', url: url ?? '', caFile };
}

export function checkOnCall(raw: Config, config: Pick<LoadedConfig, 'approvals'>, findings: Findings, notices: string[]): void {
  const calendars = Object.entries(raw.approvals?.sources?.oncall ?? {});
  if (calendars.length > CALENDARS_MAX)
    findings.addAt('approvals.sources.oncall', `has ${calendars.length} calendars; allowed: at most ${CALENDARS_MAX}`);
  for (const [name, calendar] of calendars) {
    const at = `approvals.sources.oncall.${name}`;
    const resolved = config.approvals.sources.oncall[name] as OnCallConfig;
    const given = (['file', 'url', 'url_from'] as const).filter((key) => calendar[key] !== undefined);
    if (given.length !== 1)
      findings.addAt(at, `${given.length === 0 ? 'says no way' : `says ${given.join(' and ')}`}; allowed: exactly one of file, url, url_from`);
    if (calendar.url !== undefined) checkUrl(calendar.url, `${at}.url`, findings, notices);
    if (calendar.time_zone !== undefined && !isTimeZone(calendar.time_zone))
      findings.addAt(`${at}.time_zone`, `found \`${calendar.time_zone}\`; allowed: a name of the IANA data base, such as Europe/Zurich`);
    checkTimes(calendar, resolved, at, findings);
  }
}

function checkTimes(calendar: OnCall, { refreshMs, maxAgeMs, timeoutMs }: OnCallConfig, at: string, findings: Findings): void {
  if (refreshMs < REFRESH_MS_MIN) findings.addAt(`${at}.refresh`, `found \`${calendar.refresh ?? ''}\`; allowed: at least 5s`);
  if (timeoutMs < 1 || timeoutMs > TIMEOUT_MS_MAX) findings.addAt(`${at}.timeout`, `found \`${calendar.timeout ?? ''}\`; allowed: 1ms to 60s`);
  if (maxAgeMs < refreshMs || maxAgeMs > MAX_AGE_MS_MAX)
    findings.addAt(calendar.max_age === undefined ? at : `${at}.max_age`, `found \`${calendar.max_age ?? '1h'}\`; allowed: \`refresh\` to 8d`);
}

function checkUrl(url: string, at: string, findings: Findings, notices: string[]): void {
  if (!URL.canParse(url)) return findings.addAt(at, 'is not an address; allowed: an https:// address');
  const { username, password, hostname, protocol } = new URL(url);
  if (username !== '' || password !== '') findings.addAt(at, 'contains a credential; allowed: an https:// address without one, or `url_from`');
  if (protocol === 'https:') return;
  if (staysHere(hostname.replace(/^\[|\]$/g, ''))) notices.push(`${at}: TLS is off, accepted because ${hostname} is loopback`);
  else findings.addAt(at, 'would be fetched without TLS; allowed: https:// (http:// on loopback only)');
}

function isTimeZone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
    return true;
  } catch {
    return false; // a RangeError: there is no such zone
  }
}
