/**
 * Where the gateway sees the files that a path-typed argument names (the server is a process of this machine, or `seen_at` says where), links are
 * followed before the call: what a path leads to must stay below its root. What cannot be looked at is refused. A link that is made between this look
 * and the server's is not seen: who can make links in the root, there or here, can also read through them.
 */
import { lstat, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import type { ArgumentKind } from '#schemas/knowledge';
import { objectOf } from './protocol.ts';
import type { McpSession } from './session.ts';

/** null: nothing stands against it; whether the path may be used is for facts and policy. */
export async function localPathObjection(tool: string, params: Readonly<Record<string, unknown>>, { house }: McpSession): Promise<Refusal | null> {
  const { upstream, arguments: kinds } = house.target;
  if (!Object.hasOwn(kinds, tool)) return null;
  for (const kind of kinds[tool] ?? []) {
    const seen = kind.as === 'path' && kind.root !== undefined ? (kind.seen_at ?? (upstream.kind === 'stdio' ? kind.root : null)) : null;
    const given = seen === null ? null : valueAt(objectOf(params['arguments']), kind.argument);
    if (seen === null || typeof given !== 'string') continue;
    const why = await leadsOut(given, kind, seen);
    if (why !== null) return refusal('UNPARSED', `${kind.argument}: ${why}`);
  }
  return null;
}

async function leadsOut(given: string, { root = '/' }: ArgumentKind, seen: string): Promise<string | null> {
  // behind a link `..` leads elsewhere than its text says
  if (given.split('/').includes('..')) return 'a path with `..` in it, which links can lead anywhere';
  const base = root === '/' ? '' : root.replace(/\/+$/, '');
  const below = given.startsWith('/') ? (given === base || given.startsWith(`${base}/`) ? given.slice(base.length) : null) : `/${given}`;
  if (below === null) return `leaves ${root}`;
  const [home, path] = [await real(seen), await real(`${seen}${below}`)];
  if (home === null || path === null) return 'cannot be looked at here, or is a link that leads nowhere';
  return path === home || path.startsWith(home === '/' ? '/' : `${home}/`) ? null : `leads out of ${root} by a link`;
}

function valueAt(given: Readonly<Record<string, unknown>>, argument: string): unknown {
  let node: unknown = given;
  for (const key of argument.split('.').slice(1)) node = objectOf(node)[key];
  return node;
}

/** Of what is not there yet, where it would be made. null: it cannot be told. */
async function real(path: string): Promise<string | null> {
  try {
    return await realpath(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return null;
    const there = await lstat(path).catch((why: NodeJS.ErrnoException) => why.code === 'ENOENT');
    if (there !== true) return null; // a link to what is not there: whoever writes makes it, wherever that is
    const parent = dirname(path);
    const above = parent === path ? null : await real(parent);
    return above === null ? null : `${above === '/' ? '' : above}/${path.slice(path.lastIndexOf('/') + 1)}`;
  }
}
