/** One channel at work: what it hears is gathered where it comes in bursts, queued, and delivered. */
import type { Clock } from '#client/clock';
import { type Delivery, idOf, type Member } from './delivery.ts';
import { Gatherer } from './gather.ts';
import { hears } from './hears.ts';
import type { NotifyLimits } from './limits.ts';
import { gathered } from './message.ts';
import type { Channel, Message } from './parts.ts';
import { ChannelQueue } from './queue.ts';
import { filled, TEMPLATES } from './template.ts';

export interface StationOptions {
  readonly channel: Channel;
  readonly clock: Clock;
  readonly limits: NotifyLimits;
  readonly random: () => number;
  readonly publicUrl: string;
  /** Whether it is still worth telling. */
  readonly worth: (member: Member) => boolean;
  readonly onEnd: (delivery: Delivery) => void;
}

export class Station {
  readonly channel: Channel;
  readonly #options: StationOptions;
  readonly #queue: ChannelQueue;
  readonly #gatherer: Gatherer<Member>;

  constructor(options: StationOptions) {
    const { channel, clock, limits, random, worth, onEnd } = options;
    this.channel = channel;
    this.#options = options;
    const wanted = ({ members, resent }: Delivery): boolean => resent || members.some(worth);
    this.#queue = new ChannelQueue({ transport: channel.transport, clock, limits, random, wanted, onEnd });
    this.#gatherer = new Gatherer<Member>(limits.gatherMs, (members) => this.#told(members.filter(worth)));
  }

  get waiting(): number {
    return this.#queue.size + this.#gatherer.size;
  }

  hears(message: Message): boolean {
    return hears(this.channel, message) && this.channel.transport.reaches(message);
  }

  /** A broken glass at once; everything else together with what the same principal causes meanwhile. */
  tell(member: Member): void {
    const { about, fields } = member.message;
    if (about === 'glass_broken') this.#told([member]);
    else this.#gatherer.add(`${about} ${fields.who}`, member);
  }

  add(delivery: Delivery): void {
    this.#queue.add(delivery);
  }

  list(): readonly Delivery[] {
    return this.#queue.list();
  }

  delivery(id: string, message: Message, members: readonly Member[]): Delivery {
    const { channel, clock } = this.#options;
    const own = message.about === 'test' ? undefined : channel.templates[message.about];
    const template = members.length > 1 ? TEMPLATES.gathered : (own ?? TEMPLATES[message.about]);
    const timeUs = clock.wallUs();
    const letter = { id, message, headline: filled(template, message.fields), at: new Date(timeUs / 1000) };
    const urgent = message.about === 'glass_broken';
    return { channel: channel.name, letter, members, urgent, state: 'waiting', tries: 0, detail: null, timeUs, resent: false };
  }

  close(): void {
    this.#gatherer.close();
    this.#queue.close();
  }

  #told(members: readonly Member[]): void {
    const [first] = members;
    if (!first) return;
    if (members.length === 1) return this.#queue.add(this.delivery(first.id, first.message, members));
    const ids = members.map(({ id }) => id);
    const messages = members.map(({ message }) => message);
    this.#queue.add(this.delivery(idOf(this.channel.name, ids), gathered(messages, this.#options.publicUrl), members));
  }
}
