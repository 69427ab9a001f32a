/**
 * Tells people of approval requests: a pointer to the page where they are decided (SECURITY A9), at least once, and never in the way of a
 * decision. The journal is its memory: what happened and has no `notification.sent` is told at the next start.
 */
import type { Principal } from '#client/identity';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import type { ApprovalView, DelegationView } from '#schemas/approval';
import type { NotificationView } from '#schemas/notification';
import { type Delivery, idOf, type Member, viewOf } from './delivery.ts';
import { CHANNELS, type Happened, HistoryReader, type Sent } from './history.ts';
import { Ledger } from './ledger.ts';
import { NOTIFY_LIMITS, type NotifyLimits } from './limits.ts';
import { delegationMessage, messageOf, type Telling, testMessage } from './message.ts';
import type { Message, Named, Notifier, NotifyOptions, NotifyStatus, RequestChange, Requests } from './parts.ts';
import { attempt } from './queue.ts';
import { Station } from './station.ts';

export function openNotifier(options: NotifyOptions): Notifier {
  return new BookNotifier(options);
}

type Who = (station: Station) => boolean;
const everybody: Who = () => true;

class BookNotifier implements Notifier {
  readonly #options: NotifyOptions;
  readonly #limits: NotifyLimits;
  readonly #ledger: Ledger;
  readonly #past: HistoryReader;
  readonly #stations: readonly Station[];
  #requests: Requests | null = null;
  #unsubscribe: () => void = () => {};

  constructor(options: NotifyOptions) {
    const { journal, clock, publicUrl, random = Math.random } = options;
    this.#options = options;
    const limits = { ...NOTIFY_LIMITS, ...options.limits };
    this.#limits = limits;
    this.#ledger = new Ledger(journal, limits);
    this.#past = new HistoryReader(clock, limits.ageMsMax, limits.knownMax);
    const hooks = { worth: (member: Member) => this.#worth(member), onEnd: (delivery: Delivery) => this.#ended(delivery) };
    this.#stations = options.channels.map((channel) => new Station({ channel, clock, limits, random, publicUrl, ...hooks }));
  }

  async *remembering(events: AsyncIterable<Event>, heeds: (event: Event) => boolean = () => true): AsyncGenerator<Event> {
    for await (const event of events) {
      if (heeds(event)) this.#past.see(event);
      yield event;
    }
  }

  async start(requests: Requests): Promise<void> {
    if (this.#stations.length === 0) return;
    this.#requests = requests;
    const missed: RequestChange[] = [];
    let caughtUp = false;
    this.#unsubscribe = requests.onChange((change) => (caughtUp ? this.#changed(change) : void missed.push(change)));
    try {
      await this.#catchUp(requests);
    } catch (error) {
      this.#options.log.error({ err: error }, 'what was not told before the start could not be found');
    }
    caughtUp = true;
    for (const change of missed) this.#changed(change);
  }

  delegated(delegation: DelegationView): void {
    this.#guarded(() => this.#happened({ about: 'delegated', delegation }));
  }

  list({ state }: { readonly state?: NotificationView['state'] } = {}): readonly NotificationView[] {
    const waiting = this.#stations.flatMap((station) => station.list().map(viewOf));
    return [...waiting, ...this.#ledger.list()]
      .filter((one) => state === undefined || one.state === state)
      .toSorted((a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : 0));
  }

  async resend(notificationId: string, by: Principal): Promise<void> {
    const dead = this.#ledger.dead(notificationId);
    const station = dead && this.#stations.find(({ channel }) => channel.name === dead.channel);
    if (!dead || !station) throw new InterlockError('NOTIFICATION_NOT_FOUND', `there is no dead message ${notificationId.slice(0, 64)}`);
    const delivery = 'letter' in dead ? dead : this.#rebuilt(dead, station);
    const { journal, clock } = this.#options;
    const { id, properties } = by.subject;
    await journal.durable(
      journal.append({ type: 'admin.changed', by: properties.login, what: 'notification.resend', after: notificationId, subject: id }),
    );
    if (!this.#ledger.takeDead(notificationId)) return;
    Object.assign(delivery, { state: 'waiting', tries: 0, detail: null, timeUs: clock.wallUs(), resent: true });
    station.add(delivery);
  }

  async test(channel: string): Promise<NotificationView> {
    const station = this.#stations.find((one) => one.channel.name === channel);
    if (!station) throw noChannel(channel, this.#stations);
    const { clock, publicUrl } = this.#options;
    const message = testMessage(channel, publicUrl);
    const id = idOf(channel, ['test', String(clock.wallUs())]);
    const delivery = station.delivery(id, message, [{ id, message, stage: null }]);
    const how = { signal: AbortSignal.timeout(this.#limits.timeoutMs), now: new Date(clock.wallUs() / 1000) };
    const failure = await attempt(station.channel.transport, delivery, how);
    Object.assign(delivery, { state: failure === null ? 'delivered' : 'dead', tries: 1, detail: failure?.message ?? null });
    return viewOf(delivery);
  }

  status(): NotifyStatus {
    const waiting = this.#stations.reduce((sum, station) => sum + station.waiting, 0);
    return { channels: this.#stations.length, waiting, dead: this.#ledger.deadCount };
  }

  close(): void {
    this.#unsubscribe();
    for (const station of this.#stations) station.close();
  }

  /** A channel that is new hears of what is open, not of what is over. */
  async #catchUp(requests: Requests): Promise<void> {
    const { journal } = this.#options;
    for await (const event of journal.events(this.#past.seen < 0 ? {} : { since: this.#past.seen })) this.#past.see(event);
    const { sent, happened, channels } = this.#past.history;
    this.#ledger.recall(sent);
    for (const view of requests.list({ state: 'open' })) await this.#asked(view);
    const before = new Set(channels ?? []);
    for (const one of happened) this.#happened(one, ({ channel }) => before.has(channel.name));
    const names = this.#stations.map(({ channel }) => channel.name).toSorted();
    if (channels?.join(' ') === names.join(' ')) return;
    const was = channels === null ? {} : { before: channels.join(' ') };
    journal.append({ type: 'admin.changed', by: 'configuration', what: CHANNELS, ...was, after: names.join(' ') });
  }

  /** Called by the approvals: whatever goes wrong here stops nothing. */
  #changed({ approvalId, about, state }: RequestChange): void {
    this.#guarded(() => {
      if (about === 'requested' || about === 'verdict' || about === 'escalated') {
        if (state === 'open') void this.#asked(this.#shown(approvalId));
      } else if (about === 'settled') this.#happened({ about, approvalId, outcome: state });
      else if (about === 'glass_broken') this.#happened({ about, approvalId });
      else if (about === 'glass_reviewed') this.#happened({ about, approvalId, outcome: this.#shown(approvalId).glass?.review ?? '' });
    });
  }

  /** Whoever is asked now and was not told so yet; the stage's escalations are messages of their own. */
  #asked(view: ApprovalView): void | Promise<void> {
    const asked = askedStage(view);
    if (asked === null) return undefined;
    const { stage, added } = asked;
    const tell = (named?: Named): void =>
      this.#guarded(() => {
        this.#tell({ about: 'requested', view, stage }, [stage], everybody, named);
        if (added > 0) this.#tell({ about: 'escalated', view, stage }, [stage, String(added)], everybody, named);
      });
    const { people, log } = this.#options;
    return people === undefined
      ? tell()
      : people(view).then(tell, (error: unknown) => {
          log.error({ err: error }, 'whom a request asks could not be looked up');
          tell();
        });
  }

  #happened(one: Happened, who: Who = everybody): void {
    if (one.about === 'delegated') {
      const { delegation } = one;
      return this.#message(delegationMessage(delegation, this.#options.publicUrl), ['delegated', delegation.delegation_id], null, who);
    }
    const view = this.#find(one.approvalId);
    if (view === null) return;
    if (one.about === 'glass_broken') return this.#tell({ about: 'glass_broken', view }, [], who);
    // of a broken glass everybody has heard
    if (one.about === 'settled' && one.outcome === 'approved' && view.glass !== undefined) return;
    this.#tell({ about: one.about, view, outcome: one.outcome }, [one.outcome], who);
  }

  /** @param rest what, beside request and event, makes it another message */
  #tell(telling: Telling, rest: readonly string[], who: Who = everybody, named?: Named): void {
    const { about, view, stage = null } = telling;
    this.#message(messageOf(telling, this.#options.publicUrl, named), [view.approval_id, about, ...rest], stage, who);
  }

  #message(message: Message, key: readonly string[], stage: string | null, who: Who): void {
    for (const station of this.#stations) {
      if (!who(station) || !station.hears(message)) continue;
      const id = idOf(station.channel.name, key);
      if (this.#ledger.enter(id)) station.tell({ id, message, stage });
    }
  }

  /** A request that was decided meanwhile asks nobody. */
  #worth({ message }: Member): boolean {
    if (message.about !== 'requested' && message.about !== 'escalated') return true;
    return this.#find(message.fields.id)?.state === 'open';
  }

  #ended(delivery: Delivery): void {
    const { channel, letter, state, tries, detail } = delivery;
    const told = { channel, notification: letter.id, about: letter.message.about, tries, detail };
    if (state === 'dead') this.#options.log.warn(told, 'a message could not be delivered');
    this.#guarded(() => this.#ledger.ended(delivery));
  }

  /** A dead message of a process before this one, from what the approvals still know. */
  #rebuilt({ notification_id: id, approval_id: approvalId, stage, about }: Sent, station: Station): Delivery {
    if (!isTelling(about)) throw new InterlockError('NOTIFICATION_NOT_FOUND', `what ${id} told is not known any more`);
    const view = this.#shown(approvalId ?? '');
    const outcome = about === 'glass_reviewed' ? (view.glass?.review ?? '') : view.state === 'consumed' ? 'approved' : view.state;
    const asks = about === 'requested' || about === 'escalated';
    const telling: Telling = { about, view, ...(stage === undefined ? {} : { stage }), ...(asks ? {} : { outcome }) };
    const message = messageOf(telling, this.#options.publicUrl);
    return station.delivery(id, message, [{ id, message, stage: stage ?? null }]);
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

  #guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log.error({ err: error }, 'a message could not be made');
    }
  }
}

/** The first stage without its quorum, and how many escalation added. */
function askedStage({ progress, requirement }: ApprovalView): { readonly stage: string; readonly added: number } | null {
  const asked = progress.find(({ state }) => state === 'asked') ?? progress.find(({ approved_by, needed }) => approved_by.length < needed);
  const stage = asked && requirement.stages.find(({ id }) => id === asked.stage);
  if (!asked || !stage) return null;
  return { stage: stage.id, added: Math.max(0, (asked.asks?.length ?? 0) - stage.any_of.length) };
}

function isTelling(about: string): about is Telling['about'] {
  return ['requested', 'escalated', 'settled', 'glass_broken', 'glass_reviewed'].includes(about);
}

function noChannel(channel: string, stations: readonly Station[]): InterlockError {
  const names = stations.map((one) => one.channel.name).join(', ');
  return new InterlockError('NOTIFICATION_NOT_FOUND', `there is no channel \`${channel.slice(0, 64)}\``, { hint: `There are: ${names || 'none'}.` });
}
