/**
 * The bound of the design: a bare byte pipe, both ways, in the same Node, that writes one 300-byte record of the product's own journal before
 * each forward. `pipe.ts UPSTREAM_PORT JOURNAL_DIR`; prints its port, then one line of counters for each line on stdin.
 */
import { generateKeyPairSync } from 'node:crypto';
import { createConnection, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { openJournal } from '#engine/journal/file-journal';
import { systemClock } from '#client/clock';

const [upstreamPort = '', dir = ''] = process.argv.slice(2);
/** A hot-path statement's record is at most this long (DESIGN §5). */
const RECORD_BYTES = 300;
const journal = await openJournal({
  dir,
  segmentBytes: 64 << 20,
  payloads: 'clear',
  clock: systemClock,
  version: 'bench',
  checkpoint: { everyMs: 1000, key: generateKeyPairSync('ed25519').privateKey, origin: 'bench' },
});
const filler = 'x'.repeat(RECORD_BYTES - 120);

const server = createServer({ noDelay: true }, (client) => {
  const upstream = createConnection({ port: Number(upstreamPort), host: '127.0.0.1', noDelay: true });
  client.on('data', (chunk) => {
    const written = journal.durable(journal.append({ type: 'admin.changed', by: 'bench', what: filler }));
    if (written instanceof Promise) void written.then(() => upstream.write(chunk));
    else upstream.write(chunk);
  });
  upstream.on('data', (chunk) => client.write(chunk));
  for (const [from, to] of [
    [client, upstream],
    [upstream, client],
  ] as const) {
    from.on('error', () => to.destroy());
    from.on('close', () => to.destroy());
  }
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' && address ? address.port : 0);
});
createInterface({ input: process.stdin }).on('line', () => {
  const { records, syncs } = journal.status();
  console.log(JSON.stringify({ records, syncs }));
});
process.on('SIGTERM', () => process.exit(0));
