/** What `interlock mcp pin` does: asks a server for its tools, over a connection as sessions have it, and says how they differ from the pinned ones. */
import { systemClock } from '#client/clock';
import type { Credentials } from '#client/credentials';
import type { Log } from '#client/log';
import { leased } from '#enforcers/common/leased';
import { listTools, ourselves } from './catalog.ts';
import { digestOf, readPins, type ToolDefinition } from './pins.ts';
import type { McpUpstream } from './target.ts';
import { upstreamOf } from './upstream/upstream.ts';

/** @throws InterlockError TARGET_UNREACHABLE, ANSWER_REFUSED, CREDENTIAL_UNAVAILABLE */
export async function toolsOf(name: string, upstream: McpUpstream, credentials: Credentials, log: Log): Promise<readonly ToolDefinition[]> {
  const lease = await leased(credentials, name);
  try {
    const era = upstream.kind === 'http' ? 'modern' : 'legacy';
    const link = await upstreamOf(upstream, { target: name, clock: systemClock, log }).open(lease, ourselves(era));
    try {
      return link.self.capabilities['tools'] === undefined ? [] : await listTools(link);
    } finally {
      link.close();
    }
  } finally {
    lease.over();
  }
}

export interface ToolDifference {
  readonly name: string;
  readonly what: 'new' | 'changed' | 'gone' | 'same';
  readonly digest: string;
  readonly description: string;
  /** Of a changed one: what was pinned. */
  readonly before: string | null;
}

/** @throws InterlockError CONFIG_INVALID: the file was edited by hand */
export function compared(file: string, tools: readonly ToolDefinition[]): readonly ToolDifference[] {
  const pinned = new Map((readPins(file)?.tools ?? []).map((tool) => [tool.name, tool]));
  const found = tools.map((tool): ToolDifference => {
    const before = pinned.get(tool.name);
    const digest = digestOf(tool);
    const what = before === undefined ? 'new' : before.digest === digest ? 'same' : 'changed';
    return { name: tool.name, what, digest, description: textOf(tool), before: what === 'changed' && before ? textOf(before.definition) : null };
  });
  const names = new Set(tools.map(({ name }) => name));
  const gone = [...pinned.values()].filter(({ name }) => !names.has(name));
  const lost = gone.map(
    ({ name, digest, definition }): ToolDifference => ({ name, what: 'gone', digest, description: textOf(definition), before: null }),
  );
  return [...found, ...lost].toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

function textOf({ description }: ToolDefinition): string {
  return typeof description === 'string' ? description : '';
}
