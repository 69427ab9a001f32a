/** What `interlock nats identity` prints and `interlock nats setup` reads: public keys and journals, nothing secret. */
import { readFileSync } from 'node:fs';
import { fromPublic } from '@nats-io/nkeys';
import { InterlockError } from '#schemas/errors';
import { type Grant, ROLES, type Role } from './permissions.ts';

export interface IdentityDocument {
  readonly role: Role;
  readonly name: string;
  readonly public_key: string;
  readonly journals: readonly string[];
}

const FILE_BYTES_MAX = 64 << 10;
const JOURNALS_MAX = 64;

/** @throws InterlockError USAGE, naming the file and what is wrong with it */
export function readIdentityDocument(path: string): Grant {
  const wrong = (why: string): InterlockError =>
    new InterlockError('USAGE', `${path}: ${why}`, { hint: 'It is what `interlock nats identity --json` prints.' });
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw wrong(`cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown'})`);
  }
  if (text.length > FILE_BYTES_MAX) throw wrong(`is longer than ${FILE_BYTES_MAX} bytes`);
  let document: Partial<IdentityDocument> | null;
  try {
    document = JSON.parse(text) as Partial<IdentityDocument> | null;
  } catch {
    throw wrong('is no JSON');
  }
  const { role, name, public_key: publicKey, journals = [] } = document ?? {};
  if (role === undefined || !ROLES.includes(role)) throw wrong(`\`role\` must be one of ${ROLES.join(', ')}`);
  if (typeof name !== 'string' || !/^[A-Za-z0-9._-]{1,64}$/.test(name)) throw wrong('`name` must be 1 to 64 letters, digits, `.`, `_`, `-`');
  if (typeof publicKey !== 'string' || !isUser(publicKey)) throw wrong('`public_key` must be the public nkey of a user (`U…`)');
  if (!Array.isArray(journals) || journals.length > JOURNALS_MAX || !journals.every(isJournal))
    throw wrong('`journals` must be a list of journals, 32 hexadecimal digits each');
  return { role, name, publicKey, journals };
}

function isUser(key: string): boolean {
  try {
    return key.startsWith('U') && fromPublic(key).getPublicKey() === key;
  } catch {
    return false;
  }
}

function isJournal(id: unknown): boolean {
  return typeof id === 'string' && /^[0-9a-f]{32}$/.test(id);
}
