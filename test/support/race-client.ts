/**
 * One client in a process of its own, with one connection: asks the same statement again each time a line comes on standard input, and
 * writes one line of JSON for what it hears: {held: approval}, then {ran: rows} or {refused: sqlstate, message}.
 */
import { createInterface } from 'node:readline';
import pg from 'pg';

const client = new pg.Client(); // PGHOST, PGUSER …
await client.connect();
const say = (what: object): void => void process.stdout.write(`${JSON.stringify(what)}\n`);
client.on('notice', ({ message }) => say({ held: /apr_\w+/.exec(message ?? '')?.[0] }));
say({ ready: true });
for await (const text of createInterface({ input: process.stdin })) {
  await client.query(text).then(
    ({ rowCount }) => say({ ran: rowCount }),
    (error: pg.DatabaseError) => say({ refused: error.code, message: error.message, detail: error.detail }),
  );
}
await client.end();
