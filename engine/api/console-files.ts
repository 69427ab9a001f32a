/** The console's files, read once into memory: what is not in this list is not served, whatever the path says. */
import { readdir, readFile } from 'node:fs/promises';
import { extname, join, relative, sep } from 'node:path';
import { gzipSync } from 'node:zlib';
import { ULID } from './ulid.ts';

export interface ConsoleFile {
  readonly bytes: Buffer;
  /** null where it would not be smaller. */
  readonly gzip: Buffer | null;
  readonly type: string;
  /** Its name holds a hash of its content. */
  readonly immutable: boolean;
}

export interface ConsoleFiles {
  /** null: no such file, and no page of the console. */
  find(path: string): ConsoleFile | null;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webmanifest': 'application/manifest+json',
  '.woff2': 'font/woff2',
};
const FILES_MAX = 500;
const FILE_BYTES_MAX = 8 * 1024 * 1024;

/** Its pages are one document, which asks for what the path names. */
const PAGE = new RegExp(
  `^/(?:|inbox|sessions|agents|agents/[a-z0-9-]{1,63}|search|reviews|delegations|notifications|targets|login|approvals/apr_${ULID}|sessions/ses_${ULID})$`,
);

/** @throws Error when there is no built console in the folder */
export async function readConsole(dir: string): Promise<ConsoleFiles> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile() && !entry.name.startsWith('.')).map((entry) => join(entry.parentPath, entry.name));
  if (paths.length > FILES_MAX) throw new Error(`${dir} holds more than ${FILES_MAX} files: this is not the console`);
  const files = new Map<string, ConsoleFile>();
  for (const path of paths) {
    const type = TYPES[extname(path)];
    if (type !== undefined) files.set(`/${relative(dir, path).split(sep).join('/')}`, await fileOf(path, type));
  }
  const index = files.get('/index.html');
  if (index === undefined) throw new Error(`${dir} has no index.html`);
  files.delete('/index.html');
  return { find: (path) => files.get(path) ?? (PAGE.test(path) ? index : null) };
}

/** Says how to get it, where it is not there. */
export function withoutConsole(why: string): ConsoleFiles {
  const page = `<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>Interlock</title>\n<h1>The console is not here</h1>\n<p>${escaped(why)}</p>\n<p>The API answers under <code>/v1/</code>, and <code>interlock approvals</code> does everything that the console does.</p>\n</html>\n`;
  const file: ConsoleFile = { bytes: Buffer.from(page), gzip: null, type: TYPES['.html'] ?? '', immutable: false };
  return { find: (path) => (PAGE.test(path) ? file : null) };
}

async function fileOf(path: string, type: string): Promise<ConsoleFile> {
  const bytes = await readFile(path);
  if (bytes.length > FILE_BYTES_MAX) throw new Error(`${path} is longer than ${FILE_BYTES_MAX} bytes: this is not the console`);
  const gzip = /^(?:text|image\/svg|application)/.test(type) ? gzipSync(bytes) : null;
  return {
    bytes,
    gzip: gzip !== null && gzip.length < bytes.length ? gzip : null,
    type,
    immutable: /\/assets\/[^/]+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/.test(path),
  };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
