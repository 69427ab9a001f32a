/** A request of MCP → facts. Total: what is not understood is `parsed: false`, with the reason in `opaque`. */
import { parseStrictJson } from '#client/strict-json';
import type { HttpCatalog, McpCatalog } from '#schemas/knowledge';
import type { McpFacts } from '#schemas/mcp-facts';
import type { Opaque } from '#schemas/sql-facts';
import { ByteCache } from '../postgres/cache.ts';
import { readNested, type Nested } from './arguments.ts';
import { LIMITS } from './limits.ts';
import { METHODS } from './methods.ts';
import { invalid } from './schema.ts';
import type { SqlReading } from './sql-reading.ts';
import { isTemplate, uriProblem } from './urls.ts';

/** Structurally the `ReadContext` that judging hands over. */
export interface McpContext {
  readonly target: string;
  readonly knowledge: McpCatalog | HttpCatalog | null;
}

export class McpReader {
  readonly #sql: SqlReading;
  readonly #cache = new ByteCache<McpFacts>(LIMITS.cacheBytes);

  constructor(sql: SqlReading) {
    this.#sql = sql;
  }

  /** The same object for the same bytes and knowledge, while the cache has it. */
  read(text: Uint8Array, { target, knowledge }: McpContext): McpFacts | Promise<McpFacts> {
    const catalog = knowledge?.kind === 'mcp' ? knowledge : null;
    const key =
      text.length > LIMITS.cachedMessageBytes
        ? null
        : `${target}\0${this.#versions(catalog)}\0${Buffer.from(text.buffer, text.byteOffset, text.byteLength).toString('latin1')}`;
    const known = key === null ? undefined : this.#cache.get(key);
    if (known !== undefined) return known;
    const facts = this.#fresh(text, target, catalog);
    if (!(facts instanceof Promise)) return this.#keep(key, facts);
    return facts.then((done) => this.#keep(key, done));
  }

  /** What nested texts are read with counts too. */
  #versions(catalog: McpCatalog | null): string {
    if (catalog === null) return '';
    const targets = new Set(catalog.tools.flatMap((tool) => tool.arguments.flatMap((one) => one.target ?? [])));
    return [catalog.fingerprint, ...[...targets].map((target) => this.#sql.catalogOf(target)?.fingerprint ?? '')].join('\0');
  }

  #keep(key: string | null, facts: McpFacts): McpFacts {
    const lasting = !facts.opaque.some((entry) => entry.code === 'budget');
    if (key !== null && lasting) this.#cache.set(key, facts, 2 * key.length + 4_000 + 3_000 * facts.nested.length);
    return facts;
  }

  #fresh(text: Uint8Array, target: string, catalog: McpCatalog | null): McpFacts | Promise<McpFacts> {
    if (text.length > LIMITS.messageBytes) return unread('', 'budget', `longer than ${LIMITS.messageBytes} bytes`);
    const json = parseStrictJson(text, { depthMax: LIMITS.depth, valuesMax: LIMITS.values, halves: 'refused' });
    if (!json.ok) return unread('', json.code, json.detail);
    const message = messageOf(json.value);
    if (typeof message === 'string') return unread('', 'syntax', message);
    const { method } = message;
    const form = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
    if (form === undefined) return unread(method, 'unknown_statement', `${method} is no method that is known here`);
    const problem = memberProblem(message, form.members, form.required);
    if (problem !== null) return unread(method, 'syntax', problem);
    return understood(message, target, catalog, this.#sql);
  }
}

interface Message {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

function messageOf(value: unknown): Message | string {
  if (!isObject(value)) return 'not one request';
  const { method, params, ...rest } = value;
  if (Object.keys(rest).length > 0) return 'more than a method and its params';
  if (typeof method !== 'string' || !isObject(params)) return 'no method with params';
  return { method, params };
}

function memberProblem({ params }: Message, members: readonly string[], required: readonly string[]): string | null {
  const unknown = Object.keys(params).find((name) => !members.includes(name));
  if (unknown !== undefined) return `the member ${JSON.stringify(unknown.slice(0, 64))} of params is not known`;
  const missing = required.find((name) => !Object.hasOwn(params, name));
  if (missing !== undefined) return `params have no ${missing}`;
  for (const name of ['name', 'uri', 'cursor', 'level']) {
    const value = params[name];
    if (value !== undefined && (typeof value !== 'string' || value === '' || !value.isWellFormed())) return `${name} is not a text`;
  }
  for (const name of ['arguments', 'inputResponses', 'notifications', 'ref', 'argument', 'context']) {
    if (params[name] !== undefined && !isObject(params[name])) return `${name} is not an object`;
  }
  return null;
}

function understood(message: Message, target: string, catalog: McpCatalog | null, sql: SqlReading): McpFacts | Promise<McpFacts> {
  const { method, params } = message;
  const given = isObject(params['arguments']) ? params['arguments'] : {};
  const base: McpFacts = { ...blank(method), parsed: true, arguments: given, keys: keysOf(params) };
  switch (method) {
    case 'tools/call':
      return call(base, params['name'] as string, target, catalog, sql);
    case 'tools/list':
      return typeof params['name'] === 'string' ? { ...base, tool: toolOf(params['name'], catalog) } : base;
    case 'prompts/get':
      return { ...base, prompt: params['name'] as string, effects: [reading(`${target}/prompts/${String(params['name'])}`)] };
    case 'prompts/list':
      return { ...base, prompt: (params['name'] as string | undefined) ?? null };
    case 'completion/complete':
      return completion(base, params);
    case 'subscriptions/listen':
      return base;
    default:
      return typeof params['uri'] === 'string' ? resource(base, params['uri']) : base;
  }
}

function toolOf(name: string, catalog: McpCatalog | null): NonNullable<McpFacts['tool']> {
  const tool = catalog?.tools.find((one) => one.name === name);
  return { name, known: tool?.state === 'pinned', digest: tool?.digest ?? '' };
}

function call(base: McpFacts, name: string, target: string, catalog: McpCatalog | null, sql: SqlReading): McpFacts | Promise<McpFacts> {
  const tool = toolOf(name, catalog);
  const effects: McpFacts['effects'] = [
    {
      verb: 'execute',
      object: { kind: 'tool', name, qualified: `${target}/${name}` },
      statement: 0,
      via: [],
      confidence: tool.known ? 'resolved' : 'named',
    },
  ];
  const facts: McpFacts = { ...base, tool, effects };
  // without any knowledge there is nothing to compare with: what policies say of names alone (`interlock decide`)
  if (catalog === null) return facts;
  const pinned = catalog.tools.find((one) => one.name === name);
  if (pinned === undefined) return not(facts, 'unknown_object', `the tool ${JSON.stringify(name.slice(0, 128))} is not pinned`);
  if (pinned.state === 'drifted') return not(facts, 'unknown_object', `the definition of the tool ${name} is no longer the pinned one`);
  const wrong = caseProblem(facts.arguments, pinned.inputSchema) ?? invalid(facts.arguments, pinned.inputSchema);
  if (wrong !== null) return not(facts, 'syntax', `arguments of ${name}: ${wrong}`);
  const nested = readNested(facts.arguments, pinned.arguments, sql);
  return nested instanceof Promise ? nested.then((done) => withNested(facts, done)) : withNested(facts, nested);
}

/** A key that differs from a declared one in case alone is one argument to us and another to some servers. */
function caseProblem(given: Readonly<Record<string, unknown>>, schema: unknown): string | null {
  const properties = isObject(schema) && isObject(schema['properties']) ? Object.keys(schema['properties']) : [];
  const folded = new Map(properties.map((name) => [name.toLowerCase(), name]));
  const odd = Object.keys(given).find((name) => !properties.includes(name) && folded.has(name.toLowerCase()));
  return odd === undefined ? null : `$.${odd.slice(0, 64)}: is ${folded.get(odd.toLowerCase())} in another case`;
}

function withNested(facts: McpFacts, { nested, effects, opaque, parsed }: Nested): McpFacts {
  return { ...facts, parsed, nested: [...nested], effects: [...facts.effects, ...effects], opaque: [...opaque] };
}

function resource(base: McpFacts, uri: string): McpFacts {
  const problem = uriProblem(uri);
  const facts: McpFacts = { ...base, uri };
  if (problem !== null) return not(facts, 'syntax', `an address ${problem}`);
  if (base.method !== 'completion/complete' && isTemplate(uri)) return not(facts, 'syntax', 'an address with characters that stand in none');
  const reads = base.method === 'resources/read' || base.method === 'resources/subscribe';
  return { ...facts, effects: reads ? [reading(uri)] : [] };
}

function completion(base: McpFacts, params: Readonly<Record<string, unknown>>): McpFacts {
  const { ref, argument, context } = params as Readonly<Record<string, Readonly<Record<string, unknown>> | undefined>>;
  const facts: McpFacts = { ...base, arguments: { argument, ...(context === undefined ? {} : { context }) } };
  const { type, name, uri } = ref ?? {};
  if (type === 'ref/prompt' && typeof name === 'string') return { ...facts, prompt: name };
  if (type === 'ref/resource' && typeof uri === 'string') return resource(facts, uri);
  return not(facts, 'syntax', 'ref names neither a prompt nor a resource');
}

function reading(name: string): McpFacts['effects'][number] {
  return { verb: 'read', object: { kind: 'other', name, qualified: name }, statement: 0, via: [], confidence: 'named' };
}

function not(facts: McpFacts, code: Opaque['code'], detail: string): McpFacts {
  return { ...facts, parsed: false, opaque: [...facts.opaque, { code, detail }] };
}

function unread(method: string, code: Opaque['code'], detail: string): McpFacts {
  return { ...blank(method), opaque: [{ code, detail }] };
}

function blank(method: string): McpFacts {
  return { dialect: 'mcp', parsed: false, method, tool: null, uri: null, prompt: null, arguments: {}, keys: [], nested: [], effects: [], opaque: [] };
}

function keysOf(value: unknown): string[] {
  const keys = new Set<string>();
  const walk = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(walk);
    if (!isObject(node)) return;
    for (const [key, inner] of Object.entries(node)) {
      keys.add(key.toLowerCase());
      walk(inner);
    }
  };
  walk(value);
  return [...keys].toSorted();
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
