/** A gateway on a record that is there already: a week or more of other people's work, made by test/support/journal-maker.ts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Gateway, startGateway } from '#test/support/gateway';
import { type Made, makeJournal } from '#test/support/journal-maker';
import { startPostgres } from '#test/support/postgres';

export interface StartedRecord extends AsyncDisposable {
  readonly gateway: Gateway;
  readonly dir: string;
}

export async function startRecord(made: Made, under: string = tmpdir()): Promise<StartedRecord> {
  const dir = mkdtempSync(join(under, 'interlock-record-'));
  const [server] = await Promise.all([startPostgres({ major: 15 }), makeJournal(join(dir, 'journal'), made)]);
  await server.query('CREATE DATABASE shop');
  const { host, port, user, password } = server;
  const gateway = await startGateway({ upstream: { host, port, user, password, database: 'shop' }, dir });
  return {
    gateway,
    dir,
    [Symbol.asyncDispose]: async () => {
      await gateway.stop();
      await server.stop();
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
