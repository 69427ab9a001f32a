/** What both ways to a server write and hear alike. */
import { InterlockError } from '#schemas/errors';
import type { RpcOutcome } from '../message.ts';
import type { RpcId } from '../protocol.ts';
import type { Outgoing, Sink, Written } from './link.ts';

/** Of requests of the gateway's own. */
export const SILENT: Sink = { notified: () => {}, asked: () => {} };

export function requestOf(id: number, outgoing: Outgoing): Written {
  const { method, params, meta } = outgoing;
  const whole = Object.keys(meta).length === 0 ? params : { ...params, _meta: meta };
  return { id, outgoing, bytes: bytesOf({ jsonrpc: '2.0', id, method, params: whole }) };
}

export function notificationOf(method: string, params: Readonly<Record<string, unknown>>): Buffer {
  return bytesOf({ jsonrpc: '2.0', method, params });
}

export function answerOf(id: RpcId, outcome: RpcOutcome): Buffer {
  return bytesOf({ jsonrpc: '2.0', id, ...(outcome.ok ? { result: outcome.result } : { error: outcome.error }) });
}

/** Why a request is no longer waited for. */
export function stopped(signal: AbortSignal): InterlockError {
  const { reason } = signal as { readonly reason: unknown };
  if (reason instanceof InterlockError) return reason;
  const late = reason instanceof Error && reason.name === 'TimeoutError';
  return late ? new InterlockError('TARGET_UNREACHABLE', 'the server did not answer in time') : new InterlockError('CANCELLED', 'the client left');
}

function bytesOf(message: object): Buffer {
  return Buffer.from(JSON.stringify(message), 'utf8');
}
