/** One message on its way through one channel. */
import { createHash } from 'node:crypto';
import { timestamp } from '#client/clock';
import type { NotificationView } from '#schemas/notification';
import type { Letter, Message } from './parts.ts';

/** What is remembered as told: one message, or each one of a gathered message. */
export interface Member {
  readonly id: string;
  readonly message: Message;
  readonly stage: string | null;
}

export interface Delivery {
  readonly channel: string;
  readonly letter: Letter;
  readonly members: readonly Member[];
  /** Before everything else, whatever waits. */
  readonly urgent: boolean;
  state: 'waiting' | 'delivered' | 'dead';
  tries: number;
  detail: string | null;
  /** Wall clock, microseconds. */
  timeUs: number;
  /** Somebody asked for it: it goes out even if nobody is asked any more. */
  resent: boolean;
}

/**
 * The same for the same message in the same channel, in every process: a repetition after a crash is recognised by its receiver.
 * @param key what makes it another message: the request, what happened to it, its stage or outcome
 */
export function idOf(channel: string, key: readonly string[]): string {
  const hash = createHash('sha256')
    .update(JSON.stringify([channel, ...key]))
    .digest();
  // 26 digits of Crockford's base 32, as every other id has: five bits of each byte
  return `ntf_${Array.from(hash.subarray(0, 26), (byte, at) => DIGITS[at === 0 ? byte & 7 : byte & 31]).join('')}`;
}

const DIGITS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

export function viewOf({ channel, letter, members, state, tries, detail, timeUs }: Delivery): NotificationView {
  const { about, fields } = letter.message;
  const approvalId = letter.message.data['approval_id'];
  const stage = members[0]?.stage ?? null;
  return {
    notification_id: letter.id,
    channel,
    about,
    ...(typeof approvalId === 'string' && { approval_id: approvalId }),
    ...(members.length === 1 && stage !== null && { stage }),
    ...(about === 'delegated' && { delegation_id: fields.id }),
    state,
    tries,
    time: timestamp(timeUs),
    ...(detail !== null && { detail }),
    ...(members.length > 1 && { gathers: members.length }),
  };
}
