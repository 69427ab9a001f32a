/** The era of a message, and whether its headers repeat what its body says: who routes by headers and who reads bodies must see one thing. */
import type { IncomingHttpHeaders } from 'node:http';
import type { RpcNotification, RpcRequest } from './message.ts';
import { ERROR, isObject, LEGACY, META, MODERN, nameOf, readHeaderValue, VERSIONS, type Era, type RpcError } from './protocol.ts';

/** modern, when the message says its version itself; else whatever began with `initialize`. */
export function eraOf({ meta, method }: RpcRequest | RpcNotification, headers: IncomingHttpHeaders): Era | RpcError {
  const said = meta[META.version];
  const header = one(headers['mcp-protocol-version']);
  if (said === undefined && header !== MODERN) {
    if (header !== null && !LEGACY.includes(header) && method !== 'initialize') return unsupported(header);
    return 'legacy';
  }
  if (said === undefined) return { code: ERROR.params, message: `_meta has no ${META.version}` };
  if (typeof said !== 'string') return { code: ERROR.params, message: `${META.version} is not a text` };
  if (header !== null && header !== said) return mismatch('MCP-Protocol-Version');
  if (said !== MODERN) return unsupported(said);
  if (!isObject(meta[META.capabilities])) return { code: ERROR.params, message: `_meta has no ${META.capabilities}` };
  return 'modern';
}

function unsupported(requested: string): RpcError {
  return { code: ERROR.version, message: 'Unsupported protocol version', data: { supported: VERSIONS, requested: requested.slice(0, 64) } };
}

/** null: nothing is wrong. */
export function headerProblem(message: RpcRequest | RpcNotification, era: Era, headers: IncomingHttpHeaders): RpcError | null {
  const { method, params } = message;
  const told = one(headers['mcp-method']);
  const named = one(headers['mcp-name']);
  const name = nameOf(method, params);
  if (era === 'modern') {
    if (one(headers['mcp-protocol-version']) !== MODERN) return mismatch('MCP-Protocol-Version');
    if (message.kind === 'request' && told === null) return mismatch('Mcp-Method');
    if (message.kind === 'request' && name !== null && named === null) return mismatch('Mcp-Name');
  }
  if (told !== null && told !== method) return mismatch('Mcp-Method');
  if (named !== null && readHeaderValue(named) !== name) return mismatch('Mcp-Name');
  return null;
}

function mismatch(header: string): RpcError {
  return { code: ERROR.header, message: `Header mismatch: ${header} is missing, or does not say what the body says` };
}

function one(value: string | string[] | undefined): string | null {
  return typeof value === 'string' ? value : null;
}
