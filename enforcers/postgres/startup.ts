/**
 * A client's start-up, as the protocol's page tells it: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP
 * At most one GSSENCRequest, one SSLRequest, one StartupMessage; anything else ends the connection (P1–P3).
 */
import { InterlockError } from '#schemas/errors';
import type { HandshakeReader } from '#enforcers/common/reader';
import { isPinnedValue } from './pins.ts';
import { B, CODE, int32, message, PROTOCOL_3 } from './protocol.ts';
import { PROTOCOL } from './support.ts';

/** What the driver of the generator does with a yield. */
export type Step = { readonly send: Buffer } | { readonly secure: Buffer };

export interface Login {
  readonly kind: 'login';
  readonly user: string;
  readonly database: string;
  readonly token: string;
  /** Passed on to the target: application_name, DateStyle, TimeZone, extra_float_digits. */
  readonly parameters: Readonly<Record<string, string>>;
  /** `options=-c interlock.ask_only=on`: nothing is run, approvals are asked for. */
  readonly asksOnly: boolean;
}

export interface CancelRequest {
  readonly kind: 'cancel';
  readonly pid: number;
  readonly secret: Buffer;
}

export interface StartupContext {
  /** The reader of the connection as it is now: it changes with TLS. */
  readonly reader: () => HandshakeReader;
  readonly tlsOffered: boolean;
  readonly secure: () => boolean;
  /** Tokens may come without TLS: loopback, and no certificate configured. */
  readonly plainAllowed: boolean;
}

/** The one thing that `options` may say (psql: PGOPTIONS). */
const ASKS_ONLY = '-c interlock.ask_only=on';

const PACKET_MIN = 8;
const PACKET_MAX = 10_000;
const PASSED: Readonly<Record<string, string>> = {
  application_name: 'application_name',
  datestyle: 'DateStyle',
  timezone: 'TimeZone',
  extra_float_digits: 'extra_float_digits',
};

/** @throws InterlockError to be said to the client; ReadEnded when there is nobody to say it to. */
export async function* startUp(context: StartupContext): AsyncGenerator<Step, Login | CancelRequest> {
  let gssenc = false;
  for (;;) {
    const packet = await firstPacket(context.reader());
    const code = packet.readInt32BE(0);
    if (code === CODE.cancel) return cancelRequest(packet);
    if (code === CODE.gssenc && !gssenc && !context.secure()) {
      gssenc = true;
      quiet(context.reader());
      yield { send: Buffer.from('N') };
    } else if (code === CODE.ssl && !context.secure()) {
      quiet(context.reader());
      if (context.tlsOffered) yield { secure: Buffer.from('S') };
      else yield { send: Buffer.from('N') };
      const next = await firstPacket(context.reader());
      const nextCode = next.readInt32BE(0);
      if (nextCode === CODE.cancel) return cancelRequest(next);
      return yield* login(context, next);
    } else return yield* login(context, packet);
  }
}

async function* login(context: StartupContext, packet: Buffer): AsyncGenerator<Step, Login> {
  const code = packet.readInt32BE(0);
  if (code >>> 16 !== 3) throw new InterlockError('PROTOCOL', 'not a StartupMessage of protocol 3');
  const given = parametersOf(packet);
  const strangers = [...given.keys()].filter((name) => name.startsWith('_pq_.'));
  if (code !== PROTOCOL_3 || strangers.length > 0) yield { send: negotiate(strangers) };
  const { user, database, parameters, asksOnly } = checked(given);
  if (!context.secure() && !context.plainAllowed) throw new InterlockError('AUTH_TLS_REQUIRED', 'a token must not be sent without TLS');
  yield { send: message(B.authentication, int32(3)) };
  return { kind: 'login', user, database, parameters, asksOnly, token: await password(context.reader()) };
}

/** Length and code; the body begins with the code. */
async function firstPacket(reader: HandshakeReader): Promise<Buffer> {
  const length = (await reader.take(4)).readInt32BE(0);
  if (length < PACKET_MIN || length > PACKET_MAX) throw new InterlockError('PROTOCOL', 'invalid length of startup packet');
  return reader.take(length - 4);
}

/** Nothing may stand behind a request for encryption: it would be read as if it had come through it (CVE-2021-23214). */
function quiet(reader: HandshakeReader): void {
  if (reader.leftover > 0) throw new InterlockError('PROTOCOL', 'received unencrypted data after an encryption request');
}

function cancelRequest(packet: Buffer): CancelRequest {
  if (packet.length !== 12) throw new InterlockError('PROTOCOL', 'invalid length of cancel request');
  return { kind: 'cancel', pid: packet.readInt32BE(4), secret: Buffer.from(packet.subarray(8, 12)) };
}

/** name NUL value NUL … NUL; a name twice is refused, because servers and gateways differ in which one counts. */
function parametersOf(packet: Buffer): Map<string, string> {
  const parts = packet.subarray(4).toString('utf8').split('\0');
  if (packet[packet.length - 1] !== 0 || parts.length < 2 || parts.at(-1) !== '' || parts.at(-2) !== '' || parts.length % 2 !== 0) {
    throw new InterlockError('PROTOCOL', 'invalid startup packet layout');
  }
  const given = new Map<string, string>();
  const seen = new Set<string>();
  for (let at = 0; at + 2 < parts.length; at += 2) {
    const name = parts[at] as string;
    if (name === '') throw new InterlockError('PROTOCOL', 'invalid startup packet layout');
    if (seen.has(name.toLowerCase())) throw new InterlockError('PROTOCOL', `the start-up parameter "${name}" stands there twice`);
    seen.add(name.toLowerCase());
    given.set(name, parts[at + 1] as string);
  }
  return given;
}

function checked(given: ReadonlyMap<string, string>): Pick<Login, 'user' | 'database' | 'parameters' | 'asksOnly'> {
  const parameters: Record<string, string> = {};
  let asksOnly = false;
  for (const [name, value] of given) {
    const plain = name.toLowerCase();
    if (name === 'user' || name === 'database' || name.startsWith('_pq_.')) continue;
    const passed = PASSED[plain];
    if (plain === 'options') {
      if (value.trim() !== ASKS_ONLY) throw unsupported(PROTOCOL.options);
      asksOnly = true;
    } else if (plain === 'replication') {
      if (!['false', 'off', 'no', '0'].includes(value.toLowerCase())) throw unsupported(PROTOCOL.replication);
    } else if (plain === 'client_encoding') {
      if (!isPinnedValue('client_encoding', value)) throw new InterlockError('PIN_REFUSED', 'client_encoding is pinned to UTF8 by the gateway');
    } else if (passed !== undefined) parameters[passed] = value;
    else throw unsupported({ ...PROTOCOL.startupParameter, feature: `the start-up parameter "${name}"` });
  }
  const user = given.get('user');
  if (user === undefined || user === '') throw new InterlockError('PROTOCOL', 'no user name in the startup packet');
  return { user, database: given.get('database') || user, parameters, asksOnly };
}

function unsupported(what: { readonly feature: string; readonly instead: string }): InterlockError {
  return new InterlockError('UNSUPPORTED', `${what.feature} is not supported by the gateway`, { hint: what.instead });
}

/** Int32 newest minor version, Int32 count, names of options that are not known. */
function negotiate(options: readonly string[]): Buffer {
  return message(B.negotiate, int32(0), int32(options.length), ...options);
}

async function password(reader: HandshakeReader): Promise<string> {
  const head = await reader.take(5);
  if (head[0] !== 112) throw new InterlockError('PROTOCOL', 'expected a password');
  const length = head.readInt32BE(1);
  if (length < 5 || length > PACKET_MAX) throw new InterlockError('PROTOCOL', 'invalid password packet size');
  const body = await reader.take(length - 4);
  if (body.indexOf(0) !== body.length - 1) throw new InterlockError('PROTOCOL', 'invalid password packet');
  return body.toString('utf8', 0, body.length - 1);
}
