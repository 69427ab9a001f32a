/** What a gateway must do wherever it runs: one statement allowed, one denied, both on record. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import pg from 'pg';
import { must } from './steps.ts';

/** @throws Error when it lets a denied statement through, or refuses an allowed one */
export async function governs(port: number, token: string): Promise<void> {
  const client = new pg.Client(`postgresql://you:${token}@127.0.0.1:${port}/postgres`);
  await client.connect();
  try {
    const { rows } = await client.query('SELECT body FROM notes');
    must(JSON.stringify(rows) === '[{"body":"hello"}]', `an allowed statement answered ${JSON.stringify(rows)}`);
    const refused: { code?: string } = await client.query('DROP TABLE notes').then(
      () => ({ code: 'none' }),
      (error: unknown) => error as { code?: string },
    );
    must(refused.code === '42501', `a denied statement got SQLSTATE ${refused.code}`);
  } finally {
    await client.end();
  }
}

/** Resolves once somebody accepts there. */
export async function accepts(port: number, ms: number): Promise<void> {
  const until = performance.now() + ms;
  for (;;) {
    const socket = createConnection({ host: '127.0.0.1', port });
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (performance.now() > until) throw new Error(`nobody accepts on port ${port} after ${ms / 1000} s`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    } finally {
      socket.destroy();
    }
  }
}

/** The configuration that `interlock init` wrote, on other ports and places. */
export function placed(yaml: string, at: { readonly api: number; readonly shop: number; readonly state: string; readonly url: string }): string {
  return yaml
    .replace('127.0.0.1:8400', `127.0.0.1:${at.api}`)
    .replace('127.0.0.1:6432', `127.0.0.1:${at.shop}`)
    .replace('dir: .interlock }', `dir: ${at.state} }`)
    .replace('dir: .interlock/journal', `dir: ${at.state}/journal`)
    .replace('url: { env: SHOP_URL }', `url: { file: ${at.url} }`);
}
