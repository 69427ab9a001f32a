/**
 * Tells people of approval requests: a pointer to the page where they are decided (SECURITY A9), at least once, and never in the way of a
 * decision. The journal is its memory: what happened and has no `notification.sent` is told at the next start.
 */
import type { Principal } from '#client/identity';
import { InterlockError } from '#schemas/errors';
import type { ApprovalView, DelegationView } from '#schemas/approval';
import type { NotificationView } from '#schemas/notification';
import { type Delivery, idOf, type Member, viewOf } from './delivery.ts';
import { Gatherer } from './gather.ts';
import { hears } from './hears.ts';
import { CHANNELS, type Happened, type History, readHistory, type Sent } from './history.ts';
import { NOTIFY_LIMITS, type NotifyLimits } from './limits.ts';
import { delegationMessage, gathered, messageOf, type Telling, testMessage } from './message.ts';
import type { Channel, Message, Notifier, NotifyOptions, NotifyStatus, RequestChange, Requests } from './parts.ts';
import { attempt, ChannelQueue } from './queue.ts';
import { filled, TEMPLATES } from './template.ts';

export function openNotifier(options: NotifyOptions): Notifier {
  return new BookNotifier(options);
}

interface Station {
  readonly channel: Channel;
  readonly queue: ChannelQueue;
  readonly gatherer: Gatherer<Member>;
}

class BookNotifier implements Notifier {
  readonly #options: NotifyOptions;
  readonly #limits: NotifyLimits;
  readonly #stations: readonly Station[];
  /** Messages that were told, or will be. */
  readonly #known = new Set<string>();
  /** Dead ones of this process, and outlines of those before. */
  readonly #dead = new Map<string, Delivery | Sent>();
  readonly #delivered = new Map<string, Delivery>();
  #requests: Requests | null = null;
  #unsubscribe: () => void = () => {};

  constructor(options: NotifyOptions) {
    this.#options = options;
    this.#limits = { ...NOTIFY_LIMITS, ...options.limits };
    this.#stations = options.channels.map((channel) => this.#station(channel));
  }

  async start(requests: Requests): Promise<void> {
    if (this.#stations.length === 0) return;
    this.#requests = requests;
    const { journal, clock, log } = this.#options;
    const missed: RequestChange[] = [];
    let listening = false;
    this.#unsubscribe = requests.onChange((change) => (listening ? this.#changed(change) : void missed.push(change)));
    try {
      const history = await readHistory(journal, clock, this.#limits.ageMsMax, this.#limits.knownMax);
      this.#recall(history);
      for (const view of requests.list({ state: 'open' })) this.#asked(view);
      const before = new Set(history.channels ?? []);
      for (const one of history.happened) this.#happened(one, (station) => before.has(station.channel.name));
      this.#introduce(history.channels);
    } catch (error) {
      log.error({ err: error }, 'what was not told before the start could not be found');
    }
    listening = true;
    for (const change of missed) this.#changed(change);
  }

  delegated(delegation: DelegationView): void {
    this.#guarded(() => this.#happened({ about: 'delegated', delegation }));
  }

  list(filter: { readonly state?: NotificationView['state'] } = {}): readonly NotificationView[] {
    const waiting = this.#stations.flatMap(({ queue }) => queue.list());
    const dead = [...this.#dead.values()].map((one) => ('letter' in one ? viewOf(one) : outlineOf(one)));
    return [...dead, ...[...waiting, ...this.#delivered.values()].map(viewOf)]
      .filter(({ state }) => filter.state === undefined || state === filter.state)
      .toSorted((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  }

  async resend(notificationId: string, by: Principal): Promise<void> {
    const dead = this.#dead.get(notificationId);
    const station = dead && this.#stations.find(({ channel }) => channel.name === dead.channel);
    if (!dead || !station) throw new InterlockError('NOTIFICATION_NOT_FOUND', `there is no dead message ${notificationId.slice(0, 64)}`);
    const delivery = 'letter' in dead ? dead : this.#rebuilt(dead, station);
    const { journal, clock } = this.#options;
    const { login } = by.subject.properties;
    await journal.durable(
      journal.append({ type: 'admin.changed', by: login, what: 'notification.resend', after: notificationId, subject: by.subject.id }),
    );
    if (!this.#dead.delete(notificationId)) return; // somebody else was faster
    Object.assign(delivery, { state: 'waiting', tries: 0, detail: null, timeUs: clock.wallUs() });
    station.queue.add(delivery);
  }

  async test(channel: string): Promise<NotificationView> {
    const station = this.#stations.find((one) => one.channel.name === channel);
    if (!station) {
      const names = this.#stations.map((one) => one.channel.name).join(', ');
      throw new InterlockError('NOTIFICATION_NOT_FOUND', `there is no channel \`${channel.slice(0, 64)}\``, {
        hint: `There are: ${names || 'none'}.`,
      });
    }
    const { clock, publicUrl } = this.#options;
    const message = testMessage(channel, publicUrl);
    const id = idOf(channel, ['test', String(clock.wallUs())]);
    const delivery = this.#delivery(station.channel, id, message, [{ id, message, stage: null }]);
    const failure = await attempt(station.channel.transport, delivery, AbortSignal.timeout(this.#limits.timeoutMs));
    Object.assign(delivery, { state: failure === null ? 'delivered' : 'dead', tries: 1, detail: failure?.message ?? null });
    return viewOf(delivery);
  }

  status(): NotifyStatus {
    const waiting = this.#stations.reduce((sum, { queue, gatherer }) => sum + queue.size + gatherer.size, 0);
    return { channels: this.#stations.length, waiting, dead: this.#dead.size };
  }

  close(): void {
    this.#unsubscribe();
    for (const { queue, gatherer } of this.#stations) {
      gatherer.close();
      queue.close();
    }
  }

  #station(channel: Channel): Station {
    const { clock, random = Math.random } = this.#options;
    const queue = new ChannelQueue({
      transport: channel.transport,
      clock,
      limits: this.#limits,
      random,
      wanted: (delivery) => this.#wanted(delivery),
      onEnd: (delivery) => this.#ended(delivery),
      onDropped: () => {},
    });
    const gatherer = new Gatherer<Member>(this.#limits.gatherMs, (members) => this.#queue({ channel, queue, gatherer }, members));
    return { channel, queue, gatherer };
  }

  /** Called by the approvals: whatever goes wrong here stops nothing. */
  #changed(change: RequestChange): void {
    this.#guarded(() => {
      const { approvalId, about, state } = change;
      if (about === 'requested' || about === 'verdict' || about === 'escalated') {
        if (state === 'open') this.#asked(this.#shown(approvalId));
      } else if (about === 'settled') this.#happened({ about, approvalId, outcome: state });
      else if (about === 'glass_broken') this.#happened({ about, approvalId });
      else if (about === 'glass_reviewed') this.#happened({ about, approvalId, outcome: this.#shown(approvalId).glass?.review ?? '' });
    });
  }

  /** Whoever is asked now and was not told so yet; the stage's escalations are messages of their own. */
  #asked(view: ApprovalView): void {
    const stage = askedStage(view);
    if (stage === null) return;
    this.#tell({ about: 'requested', view, stage: stage.id }, [view.approval_id, 'requested', stage.id], stage.id);
    if (stage.added > 0)
      this.#tell({ about: 'escalated', view, stage: stage.id }, [view.approval_id, 'escalated', stage.id, String(stage.added)], stage.id);
  }

  #happened(one: Happened, told: (station: Station) => boolean = () => true): void {
    if (one.about === 'delegated') {
      const { delegation } = one;
      return this.#message(delegationMessage(delegation, this.#options.publicUrl), ['delegated', delegation.delegation_id], null, told);
    }
    const view = this.#find(one.approvalId);
    if (view === null) return;
    if (one.about === 'glass_broken') return this.#tell({ about: 'glass_broken', view }, [view.approval_id, 'glass_broken'], null, told);
    // of a broken glass everybody has heard
    if (one.about === 'settled' && one.outcome === 'approved' && view.glass !== undefined) return;
    this.#tell({ about: one.about, view, outcome: one.outcome }, [view.approval_id, one.about, one.outcome], null, told);
  }

  #tell(telling: Telling, key: readonly string[], stage: string | null, told: (station: Station) => boolean = () => true): void {
    this.#message(messageOf(telling, this.#options.publicUrl), key, stage, told);
  }

  #message(message: Message, key: readonly string[], stage: string | null, told: (station: Station) => boolean): void {
    for (const station of this.#stations) {
      const { channel, gatherer } = station;
      if (!told(station) || !hears(channel, message) || !channel.transport.reaches(message)) continue;
      const member = { id: idOf(channel.name, key), message, stage };
      if (this.#known.has(member.id)) continue;
      this.#remember(member.id);
      if (message.about === 'glass_broken') this.#queue(station, [member]);
      else gatherer.add(`${message.about} ${message.fields.who}`, member);
    }
  }

  /** One message; or one for all of a burst that are still worth telling. */
  #queue({ channel, queue }: Station, members: readonly Member[]): void {
    const wanted = members.filter((member) => this.#worth(member));
    const [first] = wanted;
    if (!first) return;
    const { publicUrl } = this.#options;
    const message =
      wanted.length === 1
        ? first.message
        : gathered(
            wanted.map((one) => one.message),
            publicUrl,
          );
    const id =
      wanted.length === 1
        ? first.id
        : idOf(
            channel.name,
            wanted.map((one) => one.id),
          );
    queue.add(this.#delivery(channel, id, message, wanted));
  }

  #delivery(channel: Channel, id: string, message: Message, members: readonly Member[]): Delivery {
    const { clock } = this.#options;
    const own = message.about === 'test' ? undefined : channel.templates[message.about];
    const template = members.length > 1 ? TEMPLATES.gathered : (own ?? TEMPLATES[message.about]);
    const timeUs = clock.wallUs();
    const letter = { id, message, headline: filled(template, message.fields), at: new Date(timeUs / 1000) };
    return { channel: channel.name, letter, members, urgent: message.about === 'glass_broken', state: 'waiting', tries: 0, detail: null, timeUs };
  }

  #wanted({ members }: Delivery): boolean {
    return members.some((member) => this.#worth(member));
  }

  /** A request that was decided meanwhile asks nobody. */
  #worth({ message }: Member): boolean {
    if (message.about !== 'requested' && message.about !== 'escalated') return true;
    return this.#find(message.fields.id)?.state === 'open';
  }

  #ended(delivery: Delivery): void {
    const kept = delivery.state === 'dead' ? this.#dead : this.#delivered;
    kept.set(delivery.letter.id, delivery);
    const keptMax = delivery.state === 'dead' ? this.#limits.deadMax : this.#limits.deliveredMax;
    if (kept.size > keptMax) kept.delete(kept.keys().next().value ?? '');
    const { channel, letter, tries, detail } = delivery;
    if (delivery.state === 'dead')
      this.#options.log.warn({ channel, notification: letter.id, about: letter.message.about, tries, detail }, 'a message could not be delivered');
    this.#guarded(() => this.#record(delivery));
  }

  #record({ channel, letter, members, state, tries, detail }: Delivery): void {
    if (state === 'waiting' || this.#options.journal.fault) return;
    for (const { id, message, stage } of members) {
      const { about, fields } = message;
      this.#options.journal.append({
        type: 'notification.sent',
        notification_id: id,
        channel,
        about,
        ...(about === 'delegated' ? { delegation_id: fields.id } : { approval_id: fields.id }),
        ...(stage !== null && { stage }),
        outcome: state,
        tries,
        ...(detail !== null && { detail }),
        ...(id !== letter.id && { within: letter.id }),
      });
    }
  }

  #recall({ sent }: History): void {
    for (const [id, event] of sent) {
      this.#remember(id);
      if (event.outcome !== 'dead') continue;
      this.#dead.set(id, event);
      if (this.#dead.size > this.#limits.deadMax) this.#dead.delete(this.#dead.keys().next().value ?? '');
    }
  }

  /** From now on these channels are told of everything that happens. */
  #introduce(before: readonly string[] | null): void {
    const names = this.#stations.map(({ channel }) => channel.name).toSorted();
    if (before !== null && before.join(' ') === names.join(' ')) return;
    const was = before === null ? {} : { before: before.join(' ') };
    this.#options.journal.append({ type: 'admin.changed', by: 'configuration', what: CHANNELS, ...was, after: names.join(' ') });
  }

  /** A dead message of a process before this one, from what the approvals still know. */
  #rebuilt(sent: Sent, { channel }: Station): Delivery {
    const { approval_id: approvalId = '', stage, about } = sent;
    const view = this.#shown(approvalId);
    const outcome = about === 'glass_reviewed' ? (view.glass?.review ?? '') : view.state === 'consumed' ? 'approved' : view.state;
    if (!isTelling(about)) throw new InterlockError('NOTIFICATION_NOT_FOUND', `what ${sent.notification_id} told is not known any more`);
    const telling: Telling = {
      about,
      view,
      ...(stage === undefined ? {} : { stage }),
      ...(about === 'requested' || about === 'escalated' ? {} : { outcome }),
    };
    const message = messageOf(telling, this.#options.publicUrl);
    return this.#delivery(channel, sent.notification_id, message, [{ id: sent.notification_id, message, stage: stage ?? null }]);
  }

  #shown(approvalId: string): ApprovalView {
    const view = this.#requests?.show(approvalId);
    if (!view) throw new InterlockError('APPROVAL_NOT_FOUND', `there is no approval request ${approvalId.slice(0, 64)}`);
    return view;
  }

  #find(approvalId: string): ApprovalView | null {
    try {
      return this.#shown(approvalId);
    } catch {
      return null; // closed so long ago that it is not known any more: nobody waits to hear of it
    }
  }

  #remember(id: string): void {
    this.#known.add(id);
    if (this.#known.size > this.#limits.knownMax) this.#known.delete(this.#known.values().next().value ?? '');
  }

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.error({ err: error }, 'a message could not be made');
    }
  }
}

/** The first stage without its quorum, and how many whom escalation added. */
function askedStage({ progress, requirement }: ApprovalView): { readonly id: string; readonly added: number } | null {
  const asked = progress.find(({ state }) => state === 'asked') ?? progress.find(({ approved_by, needed }) => approved_by.length < needed);
  const stage = asked && requirement.stages.find(({ id }) => id === asked.stage);
  if (!asked || !stage) return null;
  return { id: stage.id, added: Math.max(0, (asked.asks?.length ?? 0) - stage.any_of.length) };
}

function isTelling(about: string): about is Telling['about'] {
  return ['requested', 'escalated', 'settled', 'glass_broken', 'glass_reviewed'].includes(about);
}

function outlineOf({ notification_id, channel, about, approval_id, stage, delegation_id, outcome, tries, time, detail }: Sent): NotificationView {
  return {
    notification_id,
    channel,
    about,
    ...(approval_id !== undefined && { approval_id }),
    ...(stage !== undefined && { stage }),
    ...(delegation_id !== undefined && { delegation_id }),
    state: outcome,
    tries,
    time,
    ...(detail !== undefined && { detail }),
  };
}
