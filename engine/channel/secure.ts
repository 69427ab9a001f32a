/** TLS 1.3 with both certificates, and who a certificate is. */
import { X509Certificate } from 'node:crypto';
import type { ConnectionOptions as TlsConnectionOptions, TlsOptions, TLSSocket } from 'node:tls';
import { InterlockError } from '#schemas/errors';
import { ALPN } from './hello.ts';
import type { Authorise, Peer, PeerKind, TlsIdentity } from './parts.ts';

/** The same at both ends. Dates and `authorise` are judged for each connection, also if somebody's TLS takes up an earlier session. */
const COMMON = { minVersion: 'TLSv1.3', maxVersion: 'TLSv1.3', ALPNProtocols: [ALPN], rejectUnauthorized: true } as const;

/** With a protocol for joining, who shows no good certificate gets through TLS: `verifiedPeer` then refuses what is not joining. */
export function listenerTls({ cert, key, ca }: TlsIdentity, handshakeMs: number, joining: string | null): TlsOptions {
  const common = { ...COMMON, cert, key, ca, requestCert: true, handshakeTimeout: handshakeMs };
  return joining === null ? common : { ...common, ALPNProtocols: [ALPN, joining], rejectUnauthorized: false };
}

/** Not the name of the machine counts, but what `authorise` reads from the certificate. */
export function dialerTls({ cert, key, ca }: TlsIdentity): TlsConnectionOptions {
  return { ...COMMON, cert, key, ca, checkServerIdentity: () => undefined };
}

export interface Verified {
  readonly peer: Peer;
  readonly certificate: X509Certificate;
}

/** @throws InterlockError CHANNEL_REFUSED */
export function verifiedPeer(socket: TLSSocket, kind: PeerKind, authorise: Authorise, nowMs: number): Verified {
  if (!socket.authorized) throw refused(`its certificate is not accepted: ${String(socket.authorizationError ?? 'there is none')}`);
  if (socket.alpnProtocol !== ALPN) throw refused(`it does not speak ${ALPN}`);
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) throw refused('it showed no certificate');
  return { certificate, peer: authorised(certificate, kind, authorise, nowMs) };
}

/** Asked again while the connection stands. @throws InterlockError CHANNEL_REFUSED */
export function authorised(certificate: X509Certificate, kind: PeerKind, authorise: Authorise, nowMs: number): Peer {
  const notAfterMs = certificate.validToDate.getTime();
  if (!(nowMs < notAfterMs)) throw refused(`its certificate expired at ${certificate.validToDate.toISOString()}`);
  let peer: Peer | null;
  try {
    peer = authorise(certificate);
  } catch (error) {
    throw refused('its certificate could not be judged', error);
  }
  if (peer === null) throw refused('its certificate is unknown here, or was removed');
  if (peer.kind !== kind) throw refused(`its certificate is that of an ${peer.kind}`);
  return peer;
}

/** Why a certificate of ours would not be accepted; null: nothing to see. */
export function staleness({ cert }: TlsIdentity, nowMs: number): string | null {
  try {
    const { validToDate, validFromDate } = new X509Certificate(cert);
    if (nowMs >= validToDate.getTime()) return `our own certificate expired at ${validToDate.toISOString()}`;
    return nowMs < validFromDate.getTime() ? `our own certificate is not valid before ${validFromDate.toISOString()}` : null;
  } catch {
    return 'our own certificate cannot be read';
  }
}

export function sameIdentity(one: TlsIdentity, other: TlsIdentity): boolean {
  return one.cert === other.cert && one.key === other.key && one.ca === other.ca;
}

function refused(message: string, cause?: unknown): InterlockError {
  return new InterlockError('CHANNEL_REFUSED', message, cause === undefined ? {} : { cause });
}
