/** The notifying half of the composition: `approvals.notify` → channels that read their secrets for each message. */
import { readFileSync } from 'node:fs';
import type { Clock } from '#client/clock';
import type { ApprovalView } from '#schemas/approval';
import type { Approver } from '#schemas/decision';
import type { Event } from '#schemas/event';
import type { ApprovalOptions } from './approvals/approvals.ts';
import { NOTIFY_LIMITS } from './approvals/notify/limits.ts';
import { mailChannel } from './approvals/notify/mail.ts';
import { openNotifier } from './approvals/notify/notify.ts';
import type { Named, Notifier, NotifyJournal, Transport } from './approvals/notify/parts.ts';
import { slackChannel } from './approvals/notify/slack.ts';
import { teamsChannel } from './approvals/notify/teams.ts';
import { webhookChannel } from './approvals/notify/webhook.ts';
import { refsOf, type Worlds } from './approvals/world.ts';
import type { LoadedConfig, NotifyTo, SecretSource } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { isDoneHere, type Ordering } from './ordering.ts';
import { readSecret } from './config/secret.ts';

export interface NotifyingFrom {
  readonly config: LoadedConfig;
  readonly journal: NotifyJournal;
  readonly clock: Clock;
  readonly log: RedactingLog;
  readonly publicUrl: string;
  readonly worlds: Worlds;
}

/** Nothing is told before `start`. A secret that cannot be read is said now, and is no reason not to start: messages wait for it. */
export function openNotifying({ config, journal, clock, log, publicUrl, worlds }: NotifyingFrom): Notifier {
  const channels = config.approvals.notify.map(({ to, ...channel }) => ({ ...channel, transport: transportOf(to, log) }));
  for (const { name, to } of config.approvals.notify)
    for (const source of secretsOf(to))
      secret(source, log)().catch((error: unknown) => log.warn({ channel: name, err: error }, 'a channel of notification has no secret'));
  return openNotifier({ journal, clock, log, publicUrl, channels, people: (view) => peopleOf(view, worlds) });
}

/** The book reads the whole history when it opens: what was told is told from the same reading. */
export function remembered(journal: ApprovalOptions['journal'], notifier: Notifier, ordering: Ordering | null): ApprovalOptions['journal'] {
  if (notifier.status().channels === 0) return journal;
  let first = true;
  const events = (): AsyncIterable<Event> => {
    if (!first) return journal.events();
    first = false;
    return notifier.remembering(journal.events(), (event) => isDoneHere(event, ordering));
  };
  return Object.create(journal, { events: { value: events } }) as ApprovalOptions['journal'];
}

/** Whom a reference names now; and beside a human, who stands for them. */
async function peopleOf({ subject, target, binding, requirement }: ApprovalView, worlds: Worlds): Promise<Named> {
  const asking = { subject, target, objects: binding.objects };
  await worlds.prepare(asking, refsOf(requirement));
  const world = worlds.of(asking);
  const withDelegates = (approver: Approver): readonly Approver[] => {
    if (!('user' in approver)) return [approver];
    const standing = world.delegations.filter(({ from }) => from.id === approver.user || from.properties.login === approver.user);
    return [approver, ...standing.map(({ to }) => ({ user: to }))];
  };
  return (approver) => ('ref' in approver ? (world.resolve(approver.ref) ?? []) : [approver]).flatMap(withDelegates);
}

function transportOf(to: NotifyTo, log: RedactingLog): Transport {
  switch (to.kind) {
    case 'slack':
      return slackChannel({ url: secret(to.url, log) });
    case 'teams':
      return teamsChannel({ url: secret(to.url, log) });
    case 'webhook':
      return webhookChannel({ url: to.url, secret: secret(to.secret, log), ...authority(to.caFile) });
    case 'smtp': {
      const { host, port, tls, from, people, caFile } = to;
      const login = to.login === null ? null : { user: to.login.user, password: secret(to.login.password, log) };
      const { timeoutMs, addressesMax } = NOTIFY_LIMITS;
      return mailChannel({ host, port, tls, from, to: to.to, people, login, timeoutMs, addressesMax, ...authority(caFile) });
    }
  }
}

function secretsOf(to: NotifyTo): readonly SecretSource[] {
  switch (to.kind) {
    case 'slack':
    case 'teams':
      return [to.url];
    case 'webhook':
      return [to.secret];
    case 'smtp':
      return to.login === null ? [] : [to.login.password];
  }
}

/** Read again for each message: a rotated secret is used from the next one on. */
function secret(source: SecretSource, log: RedactingLog): () => Promise<string> {
  return async () => {
    const value = await readSecret(source);
    log.hide(value);
    return value;
  };
}

function authority(caFile: string | null): { readonly ca?: string } {
  return caFile === null ? {} : { ca: readFileSync(caFile, 'utf8') };
}
