/** A shop in production under the shipped policies: support may read and write, and an owner agrees to what is written. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GatewayOptions } from './gateway.ts';
import { type PostgresServer, startPostgres } from './postgres.ts';
import { root } from './processes.ts';

/** What those policies are told. */
export const PRODUCTION_DATA =
  'guardrails: { read_write: [support] }\nproduction_writes: { stages: [{ id: owner, order: 1, any_of: [{ group: owners }], quorum: 1 }] }\n';

/** Three new payments. */
export async function startPayments(): Promise<PostgresServer> {
  const server = await startPostgres({ major: 15 });
  await server.query("CREATE TABLE payments (id int PRIMARY KEY, status text); INSERT INTO payments VALUES (1, 'new'), (2, 'new'), (3, 'new')");
  return server;
}

/** A gateway before them; its data document stands in `dir`. `policies`: others than the shipped ones, or as they are watched. */
export function production(
  { host, port, user, password }: PostgresServer,
  dir: string,
  { policies, config }: { readonly policies?: { readonly dir: string; readonly watch?: boolean }; readonly config?: object } = {},
): GatewayOptions {
  const data = join(dir, 'data.yaml');
  writeFileSync(data, PRODUCTION_DATA);
  return {
    upstream: { host, port, user, password, database: 'postgres' },
    policies: { dir: join(root, 'policies'), ...policies, data: [data] },
    target: { env: 'production' },
    ...(config === undefined ? {} : { config }),
  };
}
