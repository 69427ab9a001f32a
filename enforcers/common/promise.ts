/** The hot path gets values; only real promises are awaited (DESIGN §8). */
export function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return value instanceof Promise;
}
