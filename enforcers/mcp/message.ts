/** One JSON-RPC message from its bytes: strict, one at a time, with no member that is not known. https://www.jsonrpc.org/specification */
import { parseStrictJson } from '#client/strict-json';
import { ERROR, isObject, type RpcError, type RpcId } from './protocol.ts';

export interface RpcRequest {
  readonly kind: 'request';
  readonly id: RpcId;
  readonly method: string;
  /** Without `_meta`. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly meta: Readonly<Record<string, unknown>>;
}

export interface RpcNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly meta: Readonly<Record<string, unknown>>;
}

export interface RpcAnswer {
  readonly kind: 'answer';
  /** null: an error that could not be matched with a request. */
  readonly id: RpcId | null;
  readonly outcome: RpcOutcome;
}

export type RpcOutcome = { readonly ok: true; readonly result: Readonly<Record<string, unknown>> } | { readonly ok: false; readonly error: RpcError };

export type RpcMessage = RpcRequest | RpcNotification | RpcAnswer;

export interface Malformed {
  readonly kind: 'malformed';
  readonly id: RpcId | null;
  readonly error: RpcError;
}

export function readMessage(bytes: Uint8Array): RpcMessage | Malformed {
  const json = parseStrictJson(bytes);
  if (!json.ok) return malformed(null, json.code === 'budget' ? ERROR.invalid : ERROR.parse, json.detail);
  return messageOf(json.value);
}

export function messageOf(value: unknown): RpcMessage | Malformed {
  if (Array.isArray(value)) return malformed(null, ERROR.invalid, 'batches are not supported: send one message at a time');
  if (!isObject(value) || value['jsonrpc'] !== '2.0') return malformed(null, ERROR.invalid, 'not a JSON-RPC 2.0 message');
  const { jsonrpc: _, id, method, params = {}, result, error, ...rest } = value;
  const known = isId(id) ? id : null;
  const odd = Object.keys(rest)[0];
  if (odd !== undefined) return malformed(known, ERROR.invalid, `the member ${JSON.stringify(odd.slice(0, 64))} is not known`);
  if (method === undefined) return answerOf(known, id, value, result, error);
  if (typeof method !== 'string' || result !== undefined || error !== undefined)
    return malformed(known, ERROR.invalid, 'neither a request nor a response');
  if (!isObject(params)) return malformed(known, ERROR.params, 'params must be an object');
  const { _meta = {}, ...own } = params;
  if (!isObject(_meta)) return malformed(known, ERROR.params, '_meta must be an object');
  if (id === undefined) return { kind: 'notification', method, params: own, meta: _meta };
  return known === null
    ? malformed(null, ERROR.invalid, 'the id must be a text or an integer')
    : { kind: 'request', id: known, method, params: own, meta: _meta };
}

function answerOf(
  known: RpcId | null,
  id: unknown,
  value: Readonly<Record<string, unknown>>,
  result: unknown,
  error: unknown,
): RpcMessage | Malformed {
  if ('params' in value || (id !== undefined && id !== null && known === null)) return malformed(known, ERROR.invalid, 'not a response');
  if (isObject(result) && error === undefined && known !== null) return { kind: 'answer', id: known, outcome: { ok: true, result } };
  if (result !== undefined || !isObject(error)) return malformed(known, ERROR.invalid, 'neither a result nor an error');
  const { code, message, data } = error;
  if (typeof code !== 'number' || !Number.isInteger(code) || typeof message !== 'string')
    return malformed(known, ERROR.invalid, 'an error without code and message');
  return { kind: 'answer', id: known, outcome: { ok: false, error: { code, message, ...(data === undefined ? {} : { data }) } } };
}

function isId(id: unknown): id is RpcId {
  return (typeof id === 'string' && id.length <= 256) || (typeof id === 'number' && Number.isSafeInteger(id));
}

function malformed(id: RpcId | null, code: number, message: string): Malformed {
  return { kind: 'malformed', id, error: { code, message } };
}
