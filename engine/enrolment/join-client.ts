/** The enforcer's side of the join protocol: first who answers, then the code. */
import { createHash, X509Certificate } from 'node:crypto';
import { connect, type ConnectionOptions, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import type { Clock } from '#client/clock';
import { ERRORS, type ErrorCode, InterlockError } from '#schemas/errors';
import { admitEngine } from './admission.ts';
import { makeRequest, type OwnKey } from './certificate-request.ts';
import type { JoinCode } from './join-code.ts';
import { type Certified, frame, isCertified, JOIN_PROTOCOL, readFrame } from './join-protocol.ts';
import { LIMITS } from './limits.ts';

export interface Engine {
  readonly host: string;
  readonly port: number;
}

/**
 * Two connections: over the first nothing is sent, it shows the certificates; the authority among them must be the code's. The second trusts that
 * authority alone, and carries the code.
 * @throws InterlockError NOT_REACHABLE, ENGINE_UNTRUSTED, and what the engine answers: JOIN_REFUSED, CERTIFICATE_REFUSED
 */
export async function askToJoin(engine: Engine, code: JoinCode, key: OwnKey, clock: Clock): Promise<Certified> {
  const authority = await authorityOf(engine, code);
  const ca = new X509Certificate(authority);
  const socket = await reach(engine, {
    ca: authority,
    rejectUnauthorized: true,
    // not the host's name counts but the installation: engines move, and an enforcer's certificate must not do for one
    checkServerIdentity: (_host, { raw }) =>
      admitEngine(new X509Certificate(raw), ca, clock) === null ? untrusted('it is no engine of this installation') : undefined,
  });
  try {
    const request = (await makeRequest(code.name, key)).toString('base64');
    socket.write(frame({ name: code.name, secret: code.secret.toString('base64url'), request }));
    return certified(await readFrame(socket).catch((cause: unknown) => lost(engine, cause)));
  } finally {
    socket.destroy();
  }
}

async function authorityOf(engine: Engine, code: JoinCode): Promise<string> {
  const socket = await reach(engine, { rejectUnauthorized: false });
  const shown = chain(socket.getPeerCertificate(true));
  socket.destroy();
  const raw = shown.find((certificate) => createHash('sha256').update(certificate).digest().equals(code.authority));
  if (raw === undefined) throw untrusted('it does not have the authority that the join code names');
  return new X509Certificate(raw).toString();
}

const CHAIN_MAX = 4;

function chain(leaf: DetailedPeerCertificate): readonly Buffer[] {
  const found: Buffer[] = [];
  for (let at = leaf; at?.raw !== undefined && found.length < CHAIN_MAX; at = at.issuerCertificate) {
    if (found.some((raw) => raw.equals(at.raw))) break;
    found.push(at.raw);
  }
  return found;
}

function reach({ host, port }: Engine, options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, minVersion: 'TLSv1.3', ALPNProtocols: [JOIN_PROTOCOL], ...options });
    socket.setTimeout(LIMITS.joinMs, () => socket.destroy(new Error(`no answer for ${LIMITS.joinMs / 1000} s`)));
    socket.once('error', (error) => reject(trouble(host, port, error)));
    socket.once('secureConnect', () => {
      if (socket.alpnProtocol === JOIN_PROTOCOL) return resolve(socket);
      socket.destroy();
      reject(new InterlockError('NOT_REACHABLE', `${host}:${port}: is not an engine’s channel`));
    });
  });
}

function trouble(host: string, port: number, error: Error): InterlockError {
  if (error instanceof InterlockError) return error;
  const { code = '' } = error as NodeJS.ErrnoException;
  if (/^(CERT_|SELF_SIGNED|DEPTH_|UNABLE_TO_|INVALID_PURPOSE|ERR_TLS_CERT)/.test(code))
    return untrusted(
      code === 'CERT_NOT_YET_VALID' ? 'its certificate is not valid yet: this machine’s clock is behind' : `its certificate is not good (${code})`,
    );
  return new InterlockError('NOT_REACHABLE', `${host}:${port}: ${error.message || 'does not answer'}`, { cause: error });
}

function lost({ host, port }: Engine, cause: unknown): never {
  throw new InterlockError('NOT_REACHABLE', `${host}:${port}: the engine ended the connection without an answer`, { cause });
}

function certified(answer: unknown): Certified {
  if (isCertified(answer)) return answer;
  const { code = '', message = 'the engine’s answer is not of the form it should have' } =
    (answer as { error?: { code?: string; message?: string } } | null)?.error ?? {};
  throw new InterlockError(Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : 'INTERNAL', message);
}

function untrusted(why: string): InterlockError {
  return new InterlockError('ENGINE_UNTRUSTED', `whoever answered is not the engine that made the join code: ${why}; nothing was sent`);
}
