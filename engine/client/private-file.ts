/** Keys and seeds that are made once and read for ever after. */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, linkSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

const FILE = 0o600;
const FOLDER = 0o700;

/**
 * Makes a file that only its owner reads: whole or not at all, whatever ends this process or the machine meanwhile, and durable when it returns.
 * Its folder is made too. False: there is one already, perhaps another process' of a moment ago; it is left as it is.
 * @throws Error of the file system
 */
export function makePrivateFile(path: string, content: Uint8Array | string): boolean {
  mkdirSync(dirname(path), { recursive: true, mode: FOLDER });
  const draft = `${path}.${randomBytes(6).toString('hex')}.new`;
  try {
    fill(draft, Buffer.from(content));
    // a link, and no renaming: it fails where a file stands
    linkSync(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true }); // where it could not be begun, that is what is told
  }
  synced(dirname(path), () => {});
  return true;
}

function fill(draft: string, content: Uint8Array): void {
  synced(
    draft,
    (file) => {
      chmodSync(draft, FILE); // the umask may have taken bits, a default ACL given some
      for (let at = 0; at < content.length; ) at += writeSync(file, content, at);
    },
    'wx',
  );
}

function synced(path: string, write: (file: number) => void, flag: 'r' | 'wx' = 'r'): void {
  const file = openSync(path, flag, FILE);
  try {
    write(file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
