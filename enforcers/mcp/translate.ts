/** Between the eras: a client of one, a server of the other. What has no counterpart is refused by name. */
import { refusal, type Refusal } from '#enforcers/common/refusal';
import { META, objectOf, TASKS, type Era } from './protocol.ts';
import type { FromServer } from './target.ts';

type Json = Readonly<Record<string, unknown>>;

const CACHEABLE: ReadonlySet<string> = new Set([
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
  'resources/read',
  'server/discover',
]);

/** A result as the client's era has it. Lists are one principal's: private, whatever the server says. */
export function resultFor(era: Era, method: string, result: Json): Json | Refusal {
  const { resultType = 'complete', ttlMs, cacheScope: _scope, ...own } = result;
  if (era === 'modern') {
    const cache = CACHEABLE.has(method) && resultType === 'complete' ? { ttlMs: typeof ttlMs === 'number' ? ttlMs : 0, cacheScope: 'private' } : {};
    return { resultType, ...own, ...cache };
  }
  if (resultType !== 'complete')
    return refusal('UNSUPPORTED', 'the server asks for input, or begins a task, in a way that this version of the protocol does not have');
  return own;
}

/** What the server is told that the client can do: only what the server may ask for. */
export function capabilitiesFor(capabilities: Json, { sampling, elicitation, roots }: FromServer): Json {
  const { sampling: mayAnswer, elicitation: mayAsk, roots: hasRoots } = capabilities;
  return {
    ...(sampling && mayAnswer !== undefined ? { sampling: mayAnswer } : {}),
    ...(elicitation && mayAsk !== undefined ? { elicitation: mayAsk } : {}),
    ...(roots && hasRoots !== undefined ? { roots: hasRoots } : {}),
  };
}

/** What the client is told that the server can do: what the gateway knows, and serves. */
export function capabilitiesOf(server: Json, era: Era, { logging }: FromServer): Json {
  const { tools, resources, prompts, completions } = server;
  const extensions = era === 'modern' ? { extensions: { [TASKS]: {} } } : {};
  return {
    ...(tools === undefined ? {} : { tools: { listChanged: objectOf(tools)['listChanged'] === true } }),
    ...(resources === undefined
      ? {}
      : { resources: { subscribe: objectOf(resources)['subscribe'] === true, listChanged: objectOf(resources)['listChanged'] === true } }),
    ...(prompts === undefined ? {} : { prompts: { listChanged: objectOf(prompts)['listChanged'] === true } }),
    ...(completions === undefined ? {} : { completions: {} }),
    ...(logging && server['logging'] !== undefined ? { logging: {} } : {}),
    ...extensions,
  };
}

const TRACE = ['traceparent', 'tracestate', 'baggage'] as const;

/** `_meta` as it goes to the server: only what is known. Other keys say nothing of the call, and stay here. */
export function metaFor(era: Era, meta: Json, capabilities: Json, info: Json, logging: boolean): Json {
  const { progressToken } = meta;
  const token =
    typeof progressToken === 'string' || (typeof progressToken === 'number' && Number.isSafeInteger(progressToken)) ? { progressToken } : {};
  const traces = Object.fromEntries(TRACE.flatMap((name) => (typeof meta[name] === 'string' ? [[name, meta[name]]] : [])));
  if (era === 'legacy') return { ...token, ...traces };
  const level = logging && typeof meta[META.logLevel] === 'string' ? { [META.logLevel]: meta[META.logLevel] } : {};
  return { ...token, ...traces, ...level, [META.version]: '2026-07-28', [META.client]: info, [META.capabilities]: capabilities };
}
