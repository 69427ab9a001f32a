import type { Address } from './config.ts';

/** `[::1]:6432` → `{ host: '::1', port: 6432 }`. */
export function hostPort(text: string): Address {
  const colon = text.lastIndexOf(':');
  return { host: text.slice(0, colon).replace(/^\[|\]$/g, ''), port: Number(text.slice(colon + 1)) };
}
