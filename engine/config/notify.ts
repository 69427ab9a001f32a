/** `approvals.notify`: one channel as the notifier receives it. */
import type { NotifyChannel } from '#schemas/config';
import type { NotifyConfig, NotifyTo, SmtpConfig } from './config.ts';
import { type Absolute, secretSource } from './secret-source.ts';

/** @param at its place in the list: names a channel that has no name of its own */
export function resolveChannel(channel: NotifyChannel, at: number, absolute: Absolute): NotifyConfig {
  const to = resolveTo(channel, absolute);
  return {
    name: channel.name ?? `${to.kind}-${at + 1}`,
    to,
    on: channel.on ?? null,
    stages: channel.stages ?? null,
    targets: channel.targets ?? null,
    groups: channel.groups ?? null,
    templates: channel.templates ?? {},
  };
}

/** That exactly one of them stands there is checked by the rules. */
function resolveTo({ slack, teams, smtp, webhook }: NotifyChannel, absolute: Absolute): NotifyTo {
  if (slack !== undefined) return { kind: 'slack', url: secretSource(slack.webhook, absolute) };
  if (teams !== undefined) return { kind: 'teams', url: secretSource(teams.url, absolute) };
  if (smtp !== undefined) return { kind: 'smtp', ...resolveSmtp(smtp, absolute) };
  const { url = '', secret = {}, ca } = webhook ?? {};
  return { kind: 'webhook', url, secret: secretSource(secret, absolute), caFile: ca === undefined ? null : absolute(ca) };
}

function resolveSmtp(smtp: NonNullable<NotifyChannel['smtp']>, absolute: Absolute): SmtpConfig {
  const { host, tls = 'starttls', port = tls === 'implicit' ? 465 : 587, ca, user, password, from, to = [], to_approvers: people } = smtp;
  return {
    host,
    port,
    tls,
    caFile: ca === undefined ? null : absolute(ca),
    login: user === undefined ? null : { user, password: secretSource(password ?? {}, absolute) },
    from,
    to,
    people: people === undefined ? null : { domain: people.domain ?? null, users: people.users ?? {}, groups: people.groups ?? {} },
  };
}
