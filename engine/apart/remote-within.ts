import { InterlockError } from '#schemas/errors';

/** Rejects ENGINE_UNAVAILABLE when it takes longer. */
export async function within<T>(promise: Promise<T>, us: number): Promise<T> {
  const late = Promise.withResolvers<never>();
  const ms = Math.max(0, us / 1000);
  const timer = setTimeout(() => late.reject(new InterlockError('ENGINE_UNAVAILABLE', 'the engine did not answer in time')), ms);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
