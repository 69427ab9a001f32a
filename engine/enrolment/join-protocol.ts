/**
 * How an enforcer joins, before it has a certificate: TLS 1.3 with this protocol's name (ALPN), one question, one answer, the end. The enforcer
 * knows the engine by the authority in its code; the engine knows the enforcer by the code.
 *
 *   0  4  length of what follows, big-endian
 *   4  …  JSON
 */
import type { TLSSocket } from 'node:tls';
import { LIMITS } from './limits.ts';

export const JOIN_PROTOCOL = 'interlock-join/1';

export interface JoinQuestion {
  readonly name: string;
  /** base64url, 24 bytes. */
  readonly secret: string;
  /** PKCS #10, DER, base64. */
  readonly request: string;
}

/** Also the answer to a renewal. */
export interface Certified {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly authority: string;
  /** PEM, one behind the other: public keys by whose signature policies count. */
  readonly trusted: string;
}

export type JoinAnswer = Certified | { readonly error: { readonly code: string; readonly message: string } };

export function frame(document: JoinQuestion | JoinAnswer): Buffer {
  const body = Buffer.from(JSON.stringify(document));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** Rejects when it is too long, no JSON, or the connection ends within it. */
export async function readFrame(socket: TLSSocket): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  let needed = -1;
  // the socket outlives the question: the answer goes back on it
  for await (const chunk of socket.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > LIMITS.frameBytes) throw new Error('too long');
    if (needed < 0 && bytes >= 4) needed = 4 + Buffer.concat(chunks).readUInt32BE(0);
    if (needed > LIMITS.frameBytes) throw new Error('too long');
    if (needed >= 0 && bytes >= needed) {
      if (bytes > needed) throw new Error('more than one question');
      return JSON.parse(Buffer.concat(chunks).toString('utf8', 4));
    }
  }
  throw new Error('ended within a frame');
}

export function isJoinQuestion(value: unknown): value is JoinQuestion {
  return hasTexts(value, ['name', 'secret', 'request']);
}

export function isCertified(value: unknown): value is Certified {
  return hasTexts(value, ['certificate', 'authority', 'trusted']);
}

function hasTexts(value: unknown, names: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== names.length) return false;
  return names.every((name) => typeof (value as Record<string, unknown>)[name] === 'string');
}
