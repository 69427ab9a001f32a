/** Records of an HTTP corpus (SECURITY §2.2, SURFACE): what is sent, and what it is about. */
import { readFileSync } from 'node:fs';
import type { Expected } from '../case.ts';

export interface OriginResponse {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sent compressed. */
  readonly body_gzip?: string;
  /** Sent in these pieces, one after the other. */
  readonly chunks?: readonly string[];
  readonly trailers?: Readonly<Record<string, string>>;
  /** Answers 101 and sends these frames. */
  readonly websocket_fragments?: readonly string[];
}

export type Payload =
  | { readonly kind: 'raw'; readonly bytes: Buffer }
  | { readonly kind: 'exchange'; readonly request: string; readonly answer: OriginResponse }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'graphql'; readonly request: string | null; readonly json: unknown }
  | { readonly kind: 'h2'; readonly headers: Readonly<Record<string, string>> }
  | {
      readonly kind: 'request';
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: unknown;
    }
  | { readonly kind: 'mcp'; readonly message: unknown };

export interface HttpCase {
  readonly id: string;
  readonly protocol: string;
  readonly intent: string;
  readonly expected: Expected;
  readonly why: string;
  readonly tags: readonly string[];
  readonly payload: Payload;
  readonly leaks: readonly string[];
}

export const HTTP_PROTOCOLS: readonly string[] = ['http/1.1', 'http/2', 'graphql', 'mcp', 'kubernetes'];

interface HttpRecord {
  readonly id: string;
  readonly protocol: string;
  readonly payload_kind: string;
  readonly payload: unknown;
  readonly payload_base64?: string;
  readonly intent: string;
  readonly expected: Expected;
  readonly why: string;
  readonly tags?: readonly string[];
  readonly leak_text?: readonly string[];
}

/** What no client may see where a case names nothing of its own: what the upstream knows of its customers. */
export const CANARIES: readonly string[] = ['123-45-6789', '4111111111111111', 'alice@example.com'];

/** @throws Error naming file and line of what is not a record */
export function loadHttpCases(file: string): HttpCase[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line, index) => {
      if (line.trim() === '') return [];
      try {
        return [caseOf(JSON.parse(line) as HttpRecord)];
      } catch (error) {
        throw new Error(`${file}:${index + 1}: ${(error as Error).message}`, { cause: error });
      }
    });
}

/** Whether a file holds cases of these protocols, by its first line. */
export function isHttpFile(file: string): boolean {
  const [first = '{}'] = readFileSync(file, 'utf8').trimStart().split('\n', 1);
  return HTTP_PROTOCOLS.includes((JSON.parse(first) as { protocol?: string }).protocol ?? '');
}

function caseOf(record: HttpRecord): HttpCase {
  for (const field of ['id', 'protocol', 'payload_kind', 'payload', 'intent', 'expected'] as const) {
    if (record[field] === undefined) throw new Error(`\`${field}\` is missing`);
  }
  if (!HTTP_PROTOCOLS.includes(record.protocol)) throw new Error(`protocol \`${record.protocol}\` is not run here`);
  const { id, protocol, intent, expected, why, tags = [], leak_text: named = [] } = record;
  return { id, protocol, intent, expected, why, tags, payload: payloadOf(record), leaks: named.length > 0 ? named : CANARIES };
}

function payloadOf({ payload_kind, payload, payload_base64 }: HttpRecord): Payload {
  const part = payload as Record<string, unknown>;
  switch (payload_kind) {
    case 'raw':
      return { kind: 'raw', bytes: Buffer.from(payload as string, 'utf8') };
    case 'raw_base64':
      return { kind: 'raw', bytes: Buffer.from(payload_base64 ?? '', 'base64') };
    case 'exchange':
      return { kind: 'exchange', request: part['request'] as string, answer: part['origin_response'] as OriginResponse };
    case 'url':
      return { kind: 'url', url: part['fetch_url'] as string };
    case 'graphql':
      return typeof payload === 'string' ? { kind: 'graphql', request: payload, json: null } : { kind: 'graphql', request: null, json: payload };
    case 'h2_headers':
      return { kind: 'h2', headers: payload as Readonly<Record<string, string>> };
    case 'k8s':
      return {
        kind: 'request',
        method: part['method'] as string,
        path: part['path'] as string,
        headers: (part['headers'] ?? {}) as Record<string, string>,
        body: part['body'],
      };
    case 'jsonrpc':
      return { kind: 'mcp', message: payload };
    default:
      throw new Error(`payload_kind \`${payload_kind}\` is not known`);
  }
}
