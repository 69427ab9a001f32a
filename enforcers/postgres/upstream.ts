/** A connection to the target up to its first ReadyForQuery, on the gateway's own start-up packet and credential (P1, P3–P5). */
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Lease } from '#client/credentials';
import type { Leased } from '#enforcers/common/leased';
import { LIMITS } from '#enforcers/common/limits';
import { onReadOf } from '#enforcers/common/read-buffer';
import { HandshakeReader } from '#enforcers/common/reader';
import { InterlockError } from '#schemas/errors';
import { B, CODE, F, int32, message, PROTOCOL_3, readFields } from './protocol.ts';
import { scramClient, type Scram } from './scram.ts';
import type { Upstream } from './target.ts';

export interface TargetConnection {
  readonly socket: Socket;
  /** ParameterStatus, as the target said them. */
  readonly parameters: Map<string, string>;
  /** What cancels at the target; never shown to a client. */
  readonly key: Buffer;
  /** Bytes that came after ReadyForQuery; there should be none. */
  readonly leftover: Buffer;
}

/** @throws InterlockError TARGET_UNREACHABLE; the message names the step, never the credential. */
export async function connectTarget(
  upstream: Upstream,
  lease: Lease & Partial<Leased>,
  parameters: Readonly<Record<string, string>>,
): Promise<TargetConnection> {
  let socket: Socket | null = null;
  try {
    socket = await openTarget(upstream);
    if (lease.over !== undefined) socket.once('close', lease.over);
    return await startUp(socket, lease, parameters);
  } catch (error) {
    socket?.destroy();
    lease.over?.();
    if (error instanceof InterlockError) throw error;
    throw new InterlockError('TARGET_UNREACHABLE', `the target did not accept the gateway's connection: ${(error as Error).message}`, {
      cause: error,
    });
  }
}

/** The bare connection, after TLS where it is asked for. @throws Error */
export async function openTarget(upstream: Upstream): Promise<Socket> {
  const plain = await connected(upstream);
  if (upstream.tls.mode === 'off') return plain;
  try {
    return await encrypted(plain, upstream.host, upstream.tls.ca);
  } catch (error) {
    plain.destroy(); // one that is left open keeps a gateway that did not start from ending
    throw error;
  }
}

async function encrypted(plain: Socket, host: string, ca: string | undefined): Promise<Socket> {
  const reader = new HandshakeReader(plain, { ms: LIMITS.targetConnectMs, bytesMax: 1 });
  plain.write(Buffer.concat([int32(8), int32(CODE.ssl)]));
  const answer = await reader.take(1);
  // anything that came before TLS was not sent by the target's TLS end (CVE-2021-23222)
  if (reader.detach().length > 0) throw new Error('bytes before TLS');
  if (answer[0] !== 0x53) throw new Error('the target does not offer TLS');
  return await secured(plain, host, ca);
}

function connected(upstream: Upstream): Promise<Socket> {
  const { host, port, tls } = upstream;
  return new Promise((resolve, reject) => {
    const onread = tls.mode === 'off' ? { onread: onReadOf(() => socket) } : {};
    const socket: Socket = host.startsWith('/') ? connect({ path: `${host}/.s.PGSQL.${port}`, ...onread }) : connect({ host, port, ...onread });
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${LIMITS.targetConnectMs} ms`)), LIMITS.targetConnectMs);
    socket.once('error', reject);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      socket.on('error', () => {}); // `close` follows and is what everybody listens to
      resolve(socket);
    });
    socket.once('close', () => clearTimeout(timer));
  });
}

function secured(plain: Socket, host: string, ca: string | undefined): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: plain,
      minVersion: 'TLSv1.2',
      rejectUnauthorized: true,
      // an address is compared with the certificate's addresses, a name is also sent as SNI
      ...(isIP(host) === 0 ? { servername: host, host } : { host }),
      ...(ca === undefined ? {} : { ca }),
    });
    const timer = setTimeout(() => socket.destroy(new Error('no TLS within the deadline')), LIMITS.targetConnectMs);
    socket.once('error', reject);
    socket.once('close', () => clearTimeout(timer));
    socket.once('secureConnect', () => {
      clearTimeout(timer);
      socket.off('error', reject);
      socket.on('error', () => {});
      resolve(socket);
    });
  });
}

async function startUp(socket: Socket, lease: Lease, parameters: Readonly<Record<string, string>>): Promise<TargetConnection> {
  const reader = new HandshakeReader(socket, { ms: LIMITS.targetConnectMs, bytesMax: LIMITS.targetStartupBytes });
  socket.write(startupPacket({ user: lease.user, ...parameters }));
  const statuses = new Map<string, string>();
  let scram: Scram | null = null;
  let verified = false;
  let key = Buffer.alloc(0);
  for (;;) {
    const head = await reader.take(5);
    const length = head.readInt32BE(1) - 4;
    if (length < 0 || length > LIMITS.targetStartupBytes) throw new Error('the target sent a message of a strange length');
    const body = Buffer.from(await reader.take(length));
    switch (head[0]) {
      case B.authentication: {
        const kind = length >= 4 ? body.readInt32BE(0) : -1;
        if (kind === 10) {
          if (scram !== null || !mechanisms(body).includes('SCRAM-SHA-256')) throw new Error('the target does not offer SCRAM-SHA-256');
          scram = scramClient(lease.password);
          socket.write(message(F.password, 'SCRAM-SHA-256', int32(Buffer.byteLength(scram.first)), Buffer.from(scram.first)));
        } else if (kind === 11 && scram !== null) {
          socket.write(message(F.password, Buffer.from(await scram.answer(body.toString('utf8', 4)))));
        } else if (kind === 12 && scram !== null) {
          scram.verify(body.toString('utf8', 4));
          verified = true;
        } else if (kind === 0) {
          if (scram !== null && !verified) throw new Error('the target ended SCRAM early');
        } else throw new Error('the target asks for a way to authenticate other than SCRAM-SHA-256');
        break;
      }
      case B.parameterStatus: {
        const nul = body.indexOf(0);
        statuses.set(body.toString('utf8', 0, nul), body.toString('utf8', nul + 1, body.length - 1));
        break;
      }
      case B.backendKey:
        key = body;
        break;
      case B.error: {
        const fields = readFields(body);
        throw new Error(`${fields['C'] ?? 'no SQLSTATE'} ${fields['M'] ?? ''}`);
      }
      case B.notice:
        break;
      case B.ready:
        return { socket, parameters: statuses, key, leftover: reader.detach() };
      default:
        throw new Error(`the target sent an unexpected message (${head[0]})`);
    }
  }
}

function startupPacket(parameters: Readonly<Record<string, string>>): Buffer {
  const body = Object.entries(parameters).flatMap(([name, value]) => [name, value]);
  if (body.some((text) => text.includes('\0'))) throw new Error('NUL in a start-up parameter');
  const bytes = Buffer.concat([int32(0), int32(PROTOCOL_3), ...body.map((text) => Buffer.from(`${text}\0`)), Buffer.of(0)]);
  bytes.writeInt32BE(bytes.length, 0);
  return bytes;
}

function mechanisms(body: Buffer): string[] {
  return body.toString('utf8', 4).split('\0');
}
