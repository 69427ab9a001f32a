/** Where the server is a process of this machine, a path that is a link is followed once before the call: what it points to must stay below too. */
import { realpath } from 'node:fs/promises';
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { objectOf } from './protocol.ts';
import type { McpSession } from './session.ts';

/** null: nothing stands against it; whether the path may be used is for facts and policy. */
export async function localPathObjection(tool: string, params: Readonly<Record<string, unknown>>, { house }: McpSession): Promise<Refusal | null> {
  const { upstream, arguments: kinds } = house.target;
  if (upstream.kind !== 'stdio' || !Object.hasOwn(kinds, tool)) return null;
  for (const kind of kinds[tool] ?? []) {
    if (kind.as !== 'path' || kind.root === undefined) continue;
    const given = valueAt(objectOf(params['arguments']), kind.argument);
    if (typeof given !== 'string') continue;
    const root = await real(kind.root);
    const path = await real(given.startsWith('/') ? given : `${kind.root}/${given}`);
    if (path !== null && root !== null && path !== root && !path.startsWith(`${root}/`))
      return refusal('UNPARSED', `${kind.argument}: leads out of ${kind.root} by a link`);
  }
  return null;
}

function valueAt(given: Readonly<Record<string, unknown>>, argument: string): unknown {
  let node: unknown = given;
  for (const key of argument.split('.').slice(1)) node = objectOf(node)[key];
  return node;
}

/** null: there is no such path. */
async function real(path: string): Promise<string | null> {
  return realpath(path).catch(() => null);
}
