/** Requests as people keep them in files, and as clients send them, as the bytes that are judged. */
import { type HttpMessage, writeHttpMessage } from '#client/http-message';
import { writeMcpMessage } from '#client/mcp-message';
import { screenHeaders } from '#enforcers/http/request-headers';
import type { HeaderRules } from '#enforcers/http/target';
import { InterlockError } from '#schemas/errors';

/** Of an HTTP request in a file. */
const HEAD_BYTES_MAX = 64 * 1024;

/**
 * A request line (`POST /refunds`, with or without its version), headers, an empty line, the body as it stands to the last byte. Headers that no
 * target would see are left out, as the enforcer leaves them out.
 * @throws InterlockError USAGE
 */
export function httpBytes(file: Uint8Array, rules: HeaderRules): Uint8Array {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const start = bytes.subarray(0, HEAD_BYTES_MAX).toString('latin1');
  const gap = /\r?\n\r?\n/.exec(start);
  const end = gap === null ? start.replace(/[\r\n]+$/, '').length : gap.index;
  const body = gap === null ? Buffer.alloc(0) : bytes.subarray(gap.index + gap[0].length);
  const [line = '', ...fields] = start.slice(0, end).split(/\r?\n/);
  const [, method, target] = /^([A-Za-z-]+) (\S+)(?: HTTP\/[\d.]+)?$/.exec(line) ?? [];
  if (method === undefined || target === undefined)
    throw new InterlockError('USAGE', 'a request begins with a line such as `POST /refunds`, and an empty line stands in front of its body');
  const { judged } = screenHeaders(fields.map(field), { rules, credential: 'authorization' });
  return writeHttpMessage({ method, target, headers: judged, body });
}

function field(line: string): HttpMessage['headers'][number] {
  const [, name, value] = /^([^\s:]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
  if (name === undefined || value === undefined) throw new InterlockError('USAGE', `a header is not \`Name: value\`: ${line.slice(0, 60)}`);
  return [name.toLowerCase(), value];
}

/** A message of JSON-RPC, or its `{method, params}` alone. What is no such message stands as it is, without a method. */
export function mcpBytes(file: Uint8Array): { readonly method: string; readonly bytes: Uint8Array } {
  const unknown = { method: '', bytes: file };
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(file).toString('utf8'));
  } catch {
    return unknown;
  }
  if (typeof value !== 'object' || value === null) return unknown;
  const { method, params = {} } = value as { method?: unknown; params?: unknown };
  if (typeof method !== 'string' || typeof params !== 'object' || params === null) return unknown;
  return { method, bytes: writeMcpMessage({ method, params: params as Record<string, unknown> }) };
}
