import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** 256 random bits, as they stand in a cookie or an address. */
export function secretWord(): string {
  return randomBytes(32).toString('base64url');
}

/** What is kept of a secret word: who reads our memory, or times a look-up, has not got the word. */
export function markOf(word: string): string {
  return createHash('sha256').update(word).digest('base64url');
}

export function sameWord(a: string, b: string): boolean {
  return timingSafeEqual(createHash('sha256').update(a).digest(), createHash('sha256').update(b).digest());
}
