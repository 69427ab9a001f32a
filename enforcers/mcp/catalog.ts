/** The tools of one server: what is pinned, and whether the server still says the same. */
import type { DecisionService } from '#client/decision-service';
import type { Log } from '#client/log';
import { createHash } from 'node:crypto';
import { InterlockError } from '#schemas/errors';
import type { McpCatalog, McpTool } from '#schemas/knowledge';
import { MCP_LIMITS } from './limits.ts';
import { digestOf, isTool, readPins, versionOf, type PinnedTool, type ToolDefinition } from './pins.ts';
import type { Era } from './protocol.ts';
import type { McpTarget } from './target.ts';
import { modernMeta } from './upstream/dialogue.ts';
import type { Introduction, Link, ServerSelf } from './upstream/link.ts';

export interface KeeperParts {
  readonly target: McpTarget;
  readonly decisions: DecisionService;
  readonly log: Log;
  open(who: Introduction): Promise<Link>;
  /** A definition is no longer the pinned one, or is again. */
  readonly changed: (tool: string, what: 'drifted' | 'restored') => void;
}

/** Of each tool that is listed or called. */
export type ToolState = 'pinned' | 'drifted' | 'unknown';

export class ToolKeeper {
  readonly #parts: KeeperParts;
  #pins = new Map<string, PinnedTool>();
  #version: string | null = null;
  /** Names whose definition is another at the server. */
  readonly #drifted = new Set<string>();
  #self: ServerSelf | null = null;
  #looking: Promise<void> | null = null;

  constructor(parts: KeeperParts) {
    this.#parts = parts;
  }

  /** What the server said of itself when it was last asked. */
  get self(): ServerSelf | null {
    return this.#self;
  }

  get drifted(): readonly string[] {
    return [...this.#drifted].toSorted();
  }

  get names(): readonly string[] {
    return [...this.#pins.keys()].toSorted();
  }

  stateOf(name: string): ToolState {
    if (!this.#pins.has(name)) return 'unknown';
    return this.#drifted.has(name) ? 'drifted' : 'pinned';
  }

  definition(name: string): ToolDefinition | null {
    return this.#pins.get(name)?.definition ?? null;
  }

  /** Reads the pins again if the file changed, and tells the decision service. @throws InterlockError CONFIG_INVALID */
  refresh(): void {
    const { pinsFile, name } = this.#parts.target;
    const version = versionOf(pinsFile);
    if (version === this.#version) return;
    const pins = readPins(pinsFile);
    if (pins === null) this.#parts.log.warn({ target: name }, `no tool is pinned, so none can be called: run \`interlock mcp pin ${name}\``);
    this.#version = version;
    this.#pins = new Map((pins?.tools ?? []).map((tool) => [tool.name, tool]));
    this.#drifted.clear();
    this.#learn();
  }

  /** A definition as the server gave it just now: the pinned one? */
  saw(tool: ToolDefinition): ToolState {
    const pinned = this.#pins.get(tool.name);
    if (pinned === undefined) return 'unknown';
    const same = pinned.digest === digestOf(tool);
    if (same === this.#drifted.has(tool.name)) {
      if (same) this.#drifted.delete(tool.name);
      else this.#drifted.add(tool.name);
      const { log, target, changed } = this.#parts;
      if (same) log.info({ target: target.name, tool: tool.name }, 'the definition of a tool is the pinned one again');
      else
        log.error(
          { target: target.name, tool: tool.name },
          `the definition of a tool changed; it is disabled until \`interlock mcp pin ${target.name}\``,
        );
      changed(tool.name, same ? 'restored' : 'drifted');
      this.#learn();
    }
    return same ? 'pinned' : 'drifted';
  }

  /** Asks the server for its tools over a connection of the gateway's own. One look at a time. */
  look(): Promise<void> {
    return (this.#looking ??= this.#look().finally(() => (this.#looking = null)));
  }

  async #look(): Promise<void> {
    this.refresh();
    const link = await this.#parts.open(ourselves(this.#self?.era ?? 'modern'));
    try {
      this.#self = link.self;
      if (link.self.capabilities['tools'] === undefined) return;
      for (const tool of await listTools(link)) this.saw(tool);
    } finally {
      link.close();
    }
  }

  #learn(): void {
    const { target, decisions } = this.#parts;
    const tools = [...this.#pins.values()].map((pinned): McpTool => {
      const { name, digest, definition } = pinned;
      const kinds = Object.hasOwn(target.arguments, name) ? (target.arguments[name] ?? []) : [];
      return { name, digest, state: this.#drifted.has(name) ? 'drifted' : 'pinned', inputSchema: definition['inputSchema'], arguments: kinds };
    });
    const fingerprint = createHash('sha256')
      .update(JSON.stringify(tools.map(({ name, digest, state, arguments: kinds }) => [name, digest, state, kinds])))
      .digest('hex');
    const catalog: McpCatalog = { kind: 'mcp', fingerprint, tools };
    decisions.learn(target.name, catalog);
  }
}

export function ourselves(era: Era): Introduction {
  return { era, version: '', capabilities: {}, info: { name: 'interlock', version: '1' } };
}

/** All pages. @throws InterlockError ANSWER_REFUSED, TARGET_UNREACHABLE */
export async function listTools(link: Link): Promise<readonly ToolDefinition[]> {
  const tools: ToolDefinition[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MCP_LIMITS.listPages; page++) {
    const params = cursor === undefined ? {} : { cursor };
    const written = link.write({ method: 'tools/list', params, meta: metaOf(link), headers: [] });
    const outcome = await link.send(written, written.bytes, { notified: () => {}, asked: () => {} }, AbortSignal.timeout(MCP_LIMITS.ownMs));
    if (!outcome.ok) throw new InterlockError('ANSWER_REFUSED', 'the server does not list its tools');
    const { tools: found, nextCursor } = outcome.result;
    if (!Array.isArray(found) || !found.every(isTool)) throw new InterlockError('ANSWER_REFUSED', 'the server’s list of tools is not one of MCP');
    tools.push(...found);
    if (tools.length > MCP_LIMITS.tools) throw new InterlockError('ANSWER_REFUSED', `the server has more than ${MCP_LIMITS.tools} tools`);
    if (typeof nextCursor !== 'string') return tools;
    cursor = nextCursor;
  }
  throw new InterlockError('ANSWER_REFUSED', 'the server’s list of tools has too many pages');
}

function metaOf({ self }: Link): Readonly<Record<string, unknown>> {
  return self.era === 'modern' ? modernMeta(ourselves('modern')) : {};
}
