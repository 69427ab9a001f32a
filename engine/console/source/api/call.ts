/** One call to the engine: JSON in, JSON out, and errors that say what to do. */

import { ERRORS, type ErrorCode } from '#schemas/errors';

/** `UNREACHABLE` is ours: nobody answered. Every other code is the engine's (ERRORS.md). */
export class CallError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | null;

  constructor(failure: { readonly status: number; readonly code: string; readonly message: string; readonly hint?: string | undefined }) {
    super(failure.message);
    this.name = 'CallError';
    this.status = failure.status;
    this.code = failure.code;
    this.hint = failure.hint ?? null;
  }
}

export interface Ask {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly body?: object;
  readonly signal?: AbortSignal;
  /** Asked again because it changed, not because somebody looked: recorded once for ten minutes. */
  readonly refreshes?: boolean;
}

let csrf = '';
let onLoggedOut = (): void => {};

/** From `Me`: everything that changes something carries it (`x-interlock-csrf`). */
export function setCsrf(token: string): void {
  csrf = token;
}

/** Called whenever the engine says that nobody is logged in. */
export function whenLoggedOut(listener: () => void): void {
  onLoggedOut = listener;
}

/** Whatever was thrown, as what a page can show. */
export function asCallError(failure: unknown): CallError {
  return failure instanceof CallError ? failure : new CallError({ status: 0, code: 'INTERNAL', message: String(failure) });
}

/** @throws CallError; an abort rejects with its own reason */
export async function call<T>(path: string, { method = 'GET', body, signal, refreshes = false }: Ask = {}): Promise<T> {
  const response = await send(path, {
    method,
    headers: {
      accept: 'application/json',
      ...(refreshes ? { 'x-interlock-refresh': 'live' } : {}),
      ...(method === 'GET' ? {} : { 'x-interlock-csrf': csrf, 'content-type': 'application/json' }),
    },
    ...(method === 'POST' ? { body: JSON.stringify(body ?? {}) } : {}),
    ...(signal === undefined ? {} : { signal }),
  });
  if (response.status === 401) onLoggedOut();
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

async function send(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { ...init, credentials: 'same-origin', cache: 'no-store', redirect: 'error' });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new CallError({
      status: 0,
      code: 'UNREACHABLE',
      message: 'The engine does not answer.',
      hint: 'This page tries again by itself. If it stays like this, look whether `interlock up` is running.',
    });
  }
}

/** The catalogue has a remedy for every code; the engine's hint, where it gives one, knows more. */
function remedyOf(code: string): string | undefined {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode].remedy : undefined;
}

async function refusal(response: Response): Promise<CallError> {
  const fallback = { status: response.status, code: 'INTERNAL', message: `The engine answered with status ${response.status}.` };
  try {
    const { error } = (await response.json()) as { readonly error?: { readonly code?: string; readonly message?: string; readonly hint?: string } };
    const code = error?.code ?? fallback.code;
    return new CallError({ ...fallback, ...error, code, message: error?.message ?? fallback.message, hint: error?.hint ?? remedyOf(code) });
  } catch {
    return new CallError(fallback); // not JSON: a proxy's page, which is for nobody's eyes here
  }
}
