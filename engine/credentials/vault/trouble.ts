/** What went wrong with Vault, in our own words: its texts may repeat what was sent, and what it hides must stay hidden. */
import { InterlockError } from '#schemas/errors';
import { VaultUnreachable } from './exchange.ts';

/** https://developer.hashicorp.com/vault/api-docs#http-status-codes */
const STATUS: Readonly<Record<number, string>> = {
  400: 'the question is not one that it understands',
  403: 'permission denied',
  404: 'there is no such thing, or it may not be seen',
  412: 'it is behind',
  429: 'it is a standby, or busy',
  473: 'it is a standby',
  500: 'it failed',
  502: 'what it asked itself did not answer',
  503: 'it is sealed, or in maintenance',
};

/** @param what `vault secret/shop#password`, without a value @returns CREDENTIAL_UNAVAILABLE */
export function refusedBy(what: string, status: number): InterlockError {
  return new InterlockError('CREDENTIAL_UNAVAILABLE', `vault ${what}: ${STATUS[status] ?? 'it did not answer as it should'} (${status})`);
}

export function trouble(what: string, error: unknown): InterlockError {
  if (error instanceof InterlockError) return error;
  const why = error instanceof VaultUnreachable || error instanceof VaultAnswerOdd ? error.message : 'it did not answer as it should';
  return new InterlockError('CREDENTIAL_UNAVAILABLE', `vault ${what}: ${why}`);
}

/** Its message is ours. */
export class VaultAnswerOdd extends Error {}

export function record(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Readonly<Record<string, unknown>>) : {};
}

export function text(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
