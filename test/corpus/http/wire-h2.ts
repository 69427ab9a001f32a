/** HTTP/2 frames as they may be sent, and not only as clients do: https://httpwg.org/specs/rfc9113.html#FramingLayer */
import { connect } from 'node:tls';
import type { HttpSubject } from './subject.ts';
import type { Answer, Exchanged } from './wire.ts';

const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const [DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY] = [0, 1, 3, 4, 6, 7] as const;
const END_STREAM = 1;
const END_HEADERS = 4;
const HUNG_MS = 5_000;
const FLOOD = 10_000;
/** To write a whole flood and to read what is said to it, on a machine that does other things too. */
const FLOOD_HUNG_MS = 30_000;

/** A request with these headers, or a flood of frames where `__frames__` says so. */
export async function sendHttp2(headers: Readonly<Record<string, string>>, { secure, token }: HttpSubject): Promise<Exchanged> {
  if (secure === null || token === null) throw new Error('HTTP/2 needs the gateway');
  const said = headers['__frames__'];
  const frames = said === undefined ? single(headers, token) : said.includes('RST') ? resets(token) : controls();
  const { promise, resolve } = Promise.withResolvers<Exchanged>();
  const chunks: Buffer[] = [];
  const socket = connect({ host: secure.host, port: secure.port, ca: secure.ca, ALPNProtocols: ['h2'], servername: 'localhost' });
  const end = (closed: boolean, hung: boolean): void => {
    clearTimeout(timer);
    socket.destroy();
    const received = Buffer.concat(chunks);
    resolve({ answers: answered(received, closed), received, closed, hung });
  };
  const timer = setTimeout(() => end(false, true), said === undefined ? HUNG_MS : FLOOD_HUNG_MS);
  socket.on('error', () => end(true, false));
  socket.on('close', () => end(true, false));
  socket.on('data', (data) => {
    chunks.push(data);
    if (
      framesIn(Buffer.concat(chunks)).some(
        ({ type, flags }) => type === GOAWAY || (said === undefined && type === RST_STREAM) || (type === DATA && (flags & END_STREAM) !== 0),
      )
    )
      end(false, false);
  });
  socket.once('secureConnect', () => socket.write(Buffer.concat([PREFACE, frame(SETTINGS, 0, 0, Buffer.alloc(0)), ...frames])));
  return promise;
}

function single(headers: Readonly<Record<string, string>>, token: string): Buffer[] {
  return [
    frame(
      HEADERS,
      END_HEADERS | END_STREAM,
      1,
      block({ ':scheme': 'https', ':authority': 'api.internal', ...headers, authorization: `Bearer ${token}` }),
    ),
  ];
}

function resets(token: string): Buffer[] {
  const opened = block({
    ':method': 'GET',
    ':scheme': 'https',
    ':authority': 'api.internal',
    ':path': '/api/orders',
    authorization: `Bearer ${token}`,
  });
  const cancel = Buffer.from([0, 0, 0, 8]);
  return Array.from({ length: FLOOD }, (_, index) => index * 2 + 1).flatMap((stream) => [
    frame(HEADERS, END_HEADERS | END_STREAM, stream, opened),
    frame(RST_STREAM, 0, stream, cancel),
  ]);
}

function controls(): Buffer[] {
  const ping = frame(PING, 0, 0, Buffer.alloc(8));
  const settings = frame(SETTINGS, 0, 0, Buffer.alloc(0));
  return Array.from({ length: FLOOD }, (_, index) => (index % 2 === 0 ? ping : settings));
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Literals without indexing, new names (RFC 7541 §6.2.2): any bytes may stand in them. Names with `:` come first. */
function block(headers: Readonly<Record<string, string>>): Buffer {
  const sorted = Object.entries(headers).toSorted(([a], [b]) => Number(b.startsWith(':')) - Number(a.startsWith(':')));
  return Buffer.concat(sorted.flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const length = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128);
  return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly payload: Buffer;
}

function framesIn(received: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= received.length; ) {
    const length = received.readUIntBE(at, 3);
    if (at + 9 + length > received.length) return frames;
    frames.push({ type: received[at + 3] as number, flags: received[at + 4] as number, payload: received.subarray(at + 9, at + 9 + length) });
    at += 9 + length;
  }
  return frames;
}

/** The body is what counts: refusals say in it what they are. */
function answered(received: Buffer, closed: boolean): Answer[] {
  const frames = framesIn(received);
  const body = Buffer.concat(frames.flatMap(({ type, payload }) => (type === DATA ? [payload] : [])));
  if (body.length === 0) return [];
  const refused = body.includes('"code":');
  return [{ status: refused ? 403 : 200, headers: refused ? [['content-type', 'application/problem+json']] : [], body, whole: !closed }];
}
