/** Everything the demo stands on: a database with TLS and seeded rows, a certificate authority, a folder with configuration and policies. */
import { randomBytes } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { makeAuthority } from '#test/support/certificates';
import { startPostgres, type PostgresServer } from '#test/support/postgres';

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(dirname(here));

export interface DemoFolder {
  readonly dir: string;
  readonly server: PostgresServer;
}

/** @param say called before each part that takes time */
export async function setUp(say: (what: string) => void): Promise<DemoFolder> {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-demo-'));
  say('a certificate authority, and certificates for the gateway and the database');
  const authority = await makeAuthority(join(dir, 'tls'));
  await authority.issue('gateway');
  say('PostgreSQL 15 with TLS, and a shop of customers, orders and payments');
  const server = await startPostgres({ major: 15, tls: await authority.issue('database') });
  const password = randomBytes(18).toString('base64url');
  await server.query('CREATE DATABASE shop');
  await server.query(readFileSync(join(here, 'seed.sql'), 'utf8').replaceAll(":'password'", `'${password}'`), 'shop');
  writeFileSync(join(dir, 'shop.password'), `${password}\n`, { mode: 0o600 });
  cpSync(join(root, 'policies'), join(dir, 'policies'), { recursive: true });
  cpSync(join(here, 'data.yaml'), join(dir, 'data.yaml'));
  const config = readFileSync(join(here, 'interlock.yaml'), 'utf8');
  writeFileSync(join(dir, 'interlock.yaml'), config.replace('DATABASE_PORT', String(server.port)));
  for (const script of ['agent.mjs', 'mcp.mjs', 'model.mjs']) cpSync(join(here, script), join(dir, script));
  const browser = readFileSync(join(here, 'browser.mjs'), 'utf8');
  const playwright = pathToFileURL(createRequire(import.meta.url).resolve('playwright-core')).href.replace(/index\.js$/, 'index.mjs');
  writeFileSync(join(dir, 'browser.mjs'), browser.replace("from 'playwright-core'", `from '${playwright}'`));
  return { dir, server };
}
