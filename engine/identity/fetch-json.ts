/** One small JSON document from the issuer. */
import { exchange } from './http-exchange.ts';

/** Rejects for anything but a complete 200 with JSON. `caFile`: the only authority that is trusted; null: the system's. */
export async function fetchJson(url: string, caFile: string | null): Promise<unknown> {
  const { status, body } = await exchange(url, { method: 'GET', headers: { accept: 'application/json' }, body: null }, caFile);
  // A redirect could lead anywhere, also off TLS: what the issuer publishes stands where it says.
  if (status !== 200) throw new Error(`${url} answered ${status}`);
  return JSON.parse(body.toString('utf8')) as unknown;
}
