/** An enforcer joins: makes its key, shows its code, keeps what it gets. */
import { createPrivateKey, webcrypto } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import type { Clock } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import { makeKey, type OwnKey } from './certificate-request.ts';
import { checkKept, type Identity, readIdentity, writeIdentity, writePrivate } from './identity-file.ts';
import { identityFile } from './identity.ts';
import { askToJoin, type Engine } from './join-client.ts';
import { type JoinCode, readCode } from './join-code.ts';
import { ALGORITHM } from './x509.ts';

export interface JoinOptions {
  /** The enforcer's own folder; made if it is missing, 0700. */
  readonly dir: string;
  /** `host:port` of each engine; the first that answers. */
  readonly engines: readonly string[];
  readonly code: string;
  readonly clock: Clock;
  /** Joins although somebody joined here before. */
  readonly replace?: boolean;
}

export interface Joined {
  readonly name: string;
  readonly targets: readonly string[];
  /** RFC 3339. */
  readonly certificateUntil: string;
}

/** Its key for as long as the engine may have used the code up without our having heard the answer. */
const JOINING_FILE = 'joining.key';

/**
 * Durable when it resolves. When the answer is lost, the same code may be tried again: it is then this key's.
 * @throws InterlockError USAGE, NOT_REACHABLE, ENGINE_UNTRUSTED, JOIN_REFUSED, CERTIFICATE_REFUSED, STATE_MODE
 */
export async function join(options: JoinOptions): Promise<Joined> {
  const { dir, clock } = options;
  const code = readCode(options.code);
  const file = identityFile(dir);
  if (options.replace !== true && (await readIdentity(file)) !== null)
    throw new InterlockError('USAGE', `${dir}: an enforcer has joined here already`);
  const joining = joinPath(dir, JOINING_FILE);
  const key = await ownKey(joining);
  const answer = await firstOf(options.engines.map(engineOf), code, key, clock);
  const kept = { key: key.pem, certificate: newline(answer.certificate), authority: newline(answer.authority), trusted: answer.trusted };
  const identity = checkKept(kept);
  if (identity === null || identity.holder.name !== code.name)
    throw new InterlockError('CERTIFICATE_REFUSED', 'the engine answered with something that is no certificate for this enforcer and key');
  await writeIdentity(file, kept);
  await rm(joining, { force: true });
  return joined(identity);
}

function joined({ holder, own }: Identity): Joined {
  return { name: holder.name, targets: holder.targets, certificateUntil: own.validToDate.toISOString() };
}

async function ownKey(file: string): Promise<OwnKey> {
  const pem = await readFile(file, 'utf8').catch(() => null); // none yet; one that cannot be read is replaced
  const key = pem === null ? null : await readKey(pem);
  if (key !== null) return key;
  const made = await makeKey();
  await writePrivate(file, made.pem);
  return made;
}

/** null: a crash left half of it. */
async function readKey(pem: string): Promise<OwnKey | null> {
  try {
    const pkcs8 = Uint8Array.from(createPrivateKey(pem).export({ type: 'pkcs8', format: 'der' }));
    const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, ALGORITHM, true, ['sign']);
    const { d: _private, key_ops: _ops, ...open } = await webcrypto.subtle.exportKey('jwk', privateKey);
    const publicKey = await webcrypto.subtle.importKey('jwk', open, ALGORITHM, true, ['verify']);
    return { pem, pair: { privateKey, publicKey } };
  } catch {
    return null;
  }
}

async function firstOf(engines: readonly Engine[], code: JoinCode, key: OwnKey, clock: Clock): ReturnType<typeof askToJoin> {
  let last: unknown = new InterlockError('USAGE', 'no address of an engine is given');
  for (const engine of engines) {
    try {
      return await askToJoin(engine, code, key, clock);
    } catch (error) {
      last = error;
      if (!(error instanceof InterlockError) || error.code !== 'NOT_REACHABLE') throw error;
    }
  }
  throw last;
}

function engineOf(address: string): Engine {
  const colon = address.lastIndexOf(':');
  const port = Number(address.slice(colon + 1));
  if (colon < 1 || !Number.isInteger(port) || port < 1 || port > 65_535)
    throw new InterlockError('USAGE', `${address.slice(0, 128)}: the address of an engine is HOST:PORT`);
  return { host: address.slice(0, colon).replace(/^\[|\]$/g, ''), port };
}

function newline(pem: string): string {
  return `${pem.trimEnd()}\n`;
}
