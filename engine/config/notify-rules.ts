/** What the schema of `approvals.notify` cannot say. */
import { type Config, NOTIFY_ABOUT, NOTIFY_FIELDS, type NotifyChannel } from '#schemas/config';
import type { LoadedConfig, NotifyConfig } from './config.ts';
import type { Findings } from './places.ts';
import { staysHere } from './stays-here.ts';

const CHANNELS_MAX = 32;
const TEMPLATE_CHARS_MAX = 500;
const KINDS = ['slack', 'teams', 'smtp', 'webhook'] as const;

export function checkNotify(raw: Config, config: Pick<LoadedConfig, 'approvals' | 'targets'>, findings: Findings, notices: string[]): void {
  const channels = raw.approvals?.notify ?? [];
  if (channels.length > CHANNELS_MAX) findings.addAt('approvals.notify', `has ${channels.length} channels; allowed: at most ${CHANNELS_MAX}`);
  const names = new Set<string>();
  channels.forEach((channel, at) => {
    const resolved = config.approvals.notify[at] as NotifyConfig;
    const path = `approvals.notify[${at}]`;
    checkKind(channel, path, findings);
    if (names.has(resolved.name)) findings.addAt(path, `is the second one named \`${resolved.name}\`; allowed: another \`name\``);
    names.add(resolved.name);
    for (const target of resolved.targets ?? [])
      if (!Object.hasOwn(config.targets, target))
        findings.addAt(`${path}.targets`, `names \`${target}\`, which is no target; there are: ${Object.keys(config.targets).join(', ')}`);
    checkTemplates(resolved, path, findings);
    if (channel.webhook !== undefined && resolved.to.kind === 'webhook') checkUrl(resolved.to.url, `${path}.webhook.url`, findings, notices);
    if (resolved.to.kind === 'smtp' && channel.smtp !== undefined) checkSmtp(channel.smtp, resolved.to, `${path}.smtp`, findings, notices);
  });
}

function checkKind(channel: NotifyChannel, path: string, findings: Findings): void {
  const given = KINDS.filter((kind) => channel[kind] !== undefined);
  if (given.length !== 1)
    findings.addAt(path, `${given.length === 0 ? 'says no way' : `says ${given.join(' and ')}`}; allowed: exactly one of ${KINDS.join(', ')}`);
}

function checkTemplates({ templates }: NotifyConfig, path: string, findings: Findings): void {
  for (const about of NOTIFY_ABOUT) {
    const template = templates[about];
    if (template === undefined) continue;
    const at = `${path}.templates.${about}`;
    if (template.length > TEMPLATE_CHARS_MAX || /\p{Cc}/u.test(template))
      findings.addAt(at, `is not one line of at most ${TEMPLATE_CHARS_MAX} characters`);
    for (const [, field = ''] of template.matchAll(/\{\{([^{}]*)\}\}/g))
      if (!(NOTIFY_FIELDS as readonly string[]).includes(field))
        findings.addAt(at, `has the unknown field \`{{${field}}}\`; allowed: ${NOTIFY_FIELDS.join(', ')}`);
  }
}

function checkUrl(url: string, path: string, findings: Findings, notices: string[]): void {
  if (!URL.canParse(url)) return findings.addAt(path, 'is not an address; allowed: an https:// address');
  const { protocol, username, password, hostname } = new URL(url);
  if (username !== '' || password !== '') findings.addAt(path, 'contains a credential; allowed: an https:// address without one');
  else if (protocol === 'https:') return;
  else if (!staysHere(hostname.replace(/^\[|\]$/g, '')))
    findings.addAt(path, 'would send messages without TLS; allowed: https:// (http:// on loopback only)');
  else notices.push(`${path}: TLS is off, accepted because ${hostname} is loopback`);
}

function checkSmtp(
  raw: NonNullable<NotifyChannel['smtp']>,
  { host, tls, to, people }: Extract<NotifyConfig['to'], { kind: 'smtp' }>,
  path: string,
  findings: Findings,
  notices: string[],
): void {
  if ((raw.user === undefined) !== (raw.password === undefined)) findings.addAt(path, '`user` and `password` belong together');
  if (to.length === 0 && people === null) findings.addAt(path, 'tells nobody: `to` or `to_approvers` is needed');
  if (tls !== 'off') return;
  if (!staysHere(host)) findings.addAt(`${path}.tls`, `found \`off\` towards ${host}; allowed: starttls or implicit (off on loopback only)`);
  else notices.push(`${path}: TLS is off, accepted because ${host} is loopback`);
}
