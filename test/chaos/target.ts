/** The target of all rounds: a real PostgreSQL with the workload's tables, behind a byte relay that tells when a statement arrives. */
import { startPostgres, type PostgresServer } from '#test/support/postgres';
import { startRelay, type Relay } from '#test/support/relay';
import { SCHEMA } from './workload.ts';

export interface Target {
  readonly server: PostgresServer;
  readonly relay: Relay;
  /** Where a gateway finds it: the relay. */
  readonly upstream: { readonly host: string; readonly port: number; readonly user: string; readonly password: string; readonly database: string };
  /** Resolves when the next statement reaches the relay. */
  readonly nextStatement: () => Promise<void>;
}

export async function startTarget(stack: AsyncDisposableStack): Promise<Target> {
  const server = stack.use(await startPostgres());
  await server.query(SCHEMA);
  let arrived = Promise.withResolvers<void>();
  const relay = stack.use(
    await startRelay(server, (from, chunk) => {
      if (from !== 'client' || !chunk.includes('op_')) return;
      arrived.resolve();
      arrived = Promise.withResolvers();
    }),
  );
  const { user, password } = server;
  const upstream = { host: relay.host, port: relay.port, user, password, database: 'postgres' };
  return { server, relay, upstream, nextStatement: () => arrived.promise };
}
