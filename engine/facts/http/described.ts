/** What both forms of description have in common. */
import { InterlockError } from '#schemas/errors';
import type { HttpRoute } from '#schemas/knowledge';

export interface Described {
  readonly base: string;
  readonly routes: readonly HttpRoute[];
}

export const METHODS: readonly string[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
export const CLASSES: readonly HttpRoute['class'][] = ['read', 'write', 'delete', 'admin'];

export function classOf(method: string): HttpRoute['class'] {
  if (method === 'DELETE') return 'delete';
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS' ? 'read' : 'write';
}

export function wrongDescription(file: string, at: string, why: string): InterlockError {
  return new InterlockError('CONFIG_INVALID', `${file}${at === '' ? '' : ` ${at}`}: ${why}`);
}
