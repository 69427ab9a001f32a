/**
 * One change as it travels: JSON, compressed with zstd where it is long (its first byte tells). The events as a reader sees them, with references; what
 * they refer to stands beside, with its salt, as far as it is kept in clear.
 *
 *   {"v":1,"change":"chg_…","engine":"…","time":"…Z","stream":"apr_…","events":[{…}],"beside":{"sha256:…":{"m":"text","l":12,"s":"…","b":"…"}}}
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { Payload } from '#client/journal';
import type { PayloadRef } from '#schemas/event';
import { LOG_LIMITS } from './limits.ts';
import type { OrderedDraft, SharedEnd } from './parts.ts';

/** A payload with its salt; `clear` null: not kept in clear, so it does not travel. */
export interface Carried {
  readonly media: Payload['media'];
  readonly digest: string;
  readonly length: number;
  readonly clear: { readonly salt: Uint8Array; readonly bytes: Uint8Array } | null;
}

/** The events of a draft with references in the place of payloads, without what the order gives them. */
export type CarriedEvent = { readonly type: OrderedDraft['type'] } & Readonly<Record<string, unknown>>;

export interface ChangeMessage {
  readonly kind: 'change';
  /** Names this change among all. */
  readonly change: string;
  readonly engine: string;
  /** By the engine's clock. */
  readonly time: string;
  readonly stream: string;
  readonly events: readonly CarriedEvent[];
  readonly beside: ReadonlyMap<string, Carried>;
}

/** How a use ended: tells, decides nothing. */
export interface EndMessage {
  readonly kind: 'end';
  readonly engine: string;
  readonly end: SharedEnd;
}

/** An engine that ends, and has written nothing since. */
export interface ByeMessage {
  readonly kind: 'bye';
  readonly engine: string;
  readonly time: string;
}

export type LogMessage = ChangeMessage | EndMessage | ByeMessage;

export class UnreadableMessage extends Error {}

export function encodeChange(message: ChangeMessage): Uint8Array {
  const { kind: _kind, beside, ...rest } = message;
  const packed = Object.fromEntries(
    [...beside].map(([digest, { media, length, clear }]) => [digest, { m: media, l: length, ...packedBytes(clear) }]),
  );
  return squeezed(JSON.stringify({ v: 1, ...rest, beside: packed }));
}

export function encodeEnd({ engine, end }: Omit<EndMessage, 'kind'>): Uint8Array {
  return squeezed(JSON.stringify({ v: 1, engine, end }));
}

export function encodeBye({ engine, time }: Omit<ByeMessage, 'kind'>): Uint8Array {
  return squeezed(JSON.stringify({ v: 1, engine, bye: time }));
}

/** @throws UnreadableMessage: whoever cannot read the log does not know what has happened */
export function decodeMessage(body: Uint8Array): LogMessage {
  try {
    const found: unknown = JSON.parse(text(body));
    if (!isObject(found) || found['v'] !== 1 || typeof found['engine'] !== 'string') throw new Error('of another version');
    const { engine, bye, end } = found as { engine: string; bye?: unknown; end?: unknown };
    if (typeof bye === 'string') return { kind: 'bye', engine, time: bye };
    return isObject(end) ? { kind: 'end', engine, end: endOf(end) } : changeOf(found, engine);
  } catch (cause) {
    throw new UnreadableMessage(`a message of the log cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Every reference in an event, and in the estimate that holds its plan, as `to` says. */
export function mapRefs(event: CarriedEvent, to: (ref: PayloadRef) => unknown): CarriedEvent {
  return Object.fromEntries(
    Object.entries(event).map(([key, value]) => [key, isRef(value) ? to(value) : key === 'estimate' && isObject(value) ? mapPlan(value, to) : value]),
  ) as CarriedEvent;
}

function mapPlan(estimate: Record<string, unknown>, to: (ref: PayloadRef) => unknown): unknown {
  return isRef(estimate['plan']) ? { ...estimate, plan: to(estimate['plan']) } : estimate;
}

function changeOf(found: Record<string, unknown>, engine: string): ChangeMessage {
  const { change, time, stream, events, beside } = found;
  if (typeof change !== 'string' || typeof time !== 'string' || typeof stream !== 'string') throw new Error('a name is missing');
  if (!Array.isArray(events) || events.length === 0 || !isObject(beside)) throw new Error('a field is missing');
  return {
    kind: 'change',
    change,
    engine,
    time,
    stream,
    events: events.map((event: unknown) => eventOf(event, stream)),
    beside: new Map(Object.entries(beside).map(([digest, one]) => [digest, carriedOf(digest, one)])),
  };
}

function eventOf(event: unknown, stream: string): CarriedEvent {
  if (!isObject(event) || typeof event['type'] !== 'string') throw new Error('an event without a type');
  if (idOf(event['type'].split('.', 1)[0], event) !== stream) throw new Error(`${event['type'].slice(0, 64)} is none of ${stream.slice(0, 64)}`);
  return event as CarriedEvent;
}

function idOf(
  kind: string | undefined,
  { approval_id: approval, delegation_id: delegation, enforcer, agent, issuer }: Record<string, unknown>,
): unknown {
  switch (kind) {
    case 'approval':
      return approval;
    case 'delegation':
      return delegation;
    case 'enforcer':
      return `enforcer:${String(enforcer)}`;
    case 'agent':
      return typeof issuer === 'string' ? `agent-issuer:${issuer}` : `agent:${String(agent)}`;
    default:
      return null;
  }
}

const MEDIA: readonly string[] = ['text', 'params', 'facts', 'comment', 'rows'] satisfies Payload['media'][];

function carriedOf(digest: string, one: unknown): Carried {
  if (!isObject(one) || typeof one['m'] !== 'string' || !MEDIA.includes(one['m']) || !Number.isSafeInteger(one['l']))
    throw new Error('a payload that is none');
  const { m, l, s, b } = one;
  const clear = typeof s === 'string' && typeof b === 'string' ? { salt: Buffer.from(s, 'base64'), bytes: Buffer.from(b, 'base64') } : null;
  return { media: m as Payload['media'], digest, length: l as number, clear };
}

function packedBytes(clear: Carried['clear']): object {
  return clear === null ? {} : { s: Buffer.from(clear.salt).toString('base64'), b: Buffer.from(clear.bytes).toString('base64') };
}

const OUTCOMES: readonly string[] = ['ok', 'error', 'aborted', 'cancelled', 'unknown'] satisfies SharedEnd['outcome'][];

function endOf({ approvalId, statementId, outcome, rows, time }: Record<string, unknown>): SharedEnd {
  if (typeof approvalId !== 'string' || typeof statementId !== 'string' || typeof time !== 'string') throw new Error('an end of nothing');
  if (typeof outcome !== 'string' || !OUTCOMES.includes(outcome)) throw new Error('an end that is none');
  const counted = typeof rows === 'number' ? { rows } : {};
  return { approvalId, statementId, outcome: outcome as SharedEnd['outcome'], ...counted, time };
}

/** The first byte of a zstd frame; JSON never begins with it. */
const ZSTD = 0x28;

function squeezed(json: string): Uint8Array {
  const plain = Buffer.from(json);
  return plain.length > LOG_LIMITS.plainBytesMax ? zstdCompressSync(plain) : plain;
}

function text(body: Uint8Array): string {
  const plain = body[0] === ZSTD ? zstdDecompressSync(body, { maxOutputLength: LOG_LIMITS.bodyBytesMax }) : body;
  return Buffer.from(plain.buffer, plain.byteOffset, plain.length).toString('utf8');
}

function isRef(value: unknown): value is PayloadRef {
  return isObject(value) && typeof value['digest'] === 'string' && typeof value['bytes'] === 'number' && typeof value['form'] === 'string';
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
