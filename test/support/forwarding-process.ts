/** A process with a journal and a forwarder, to be killed: journal's folder, port and seed come in the environment; it writes until it is ended. */
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { openNats } from '#engine/nats/connection';
import { forward, load, testJournal } from './archive.ts';
import { STREAMS } from './nats.ts';

const { JOURNAL_DIR = '', NATS_PORT = '', NATS_SEED = '' } = process.env;
const journal = await testJournal(JOURNAL_DIR);
const settings = {
  servers: [`nats://127.0.0.1:${NATS_PORT}`],
  tls: null,
  credentials: () => Promise.resolve(NATS_SEED),
  streams: STREAMS,
  replicas: 1,
  duplicateWindowMs: 3_600_000,
} as const;
const link = openNats(settings, { identity: 'forwarding', log: silentLog, clock: systemClock });
const { forwarder, alarms } = forward(journal, link);
const stop = load(journal);
const told = setInterval(() => {
  const { acked, error } = forwarder.status();
  process.stdout.write(`${JSON.stringify({ acked, error, durable: journal.durableEnd.position, alarms: alarms.open })}\n`);
}, 20);
process.once('SIGTERM', () => {
  void (async () => {
    clearInterval(told);
    await stop();
    await journal.close('test');
    await forwarder.close();
    await link.close();
    process.exit(0);
  })();
});
