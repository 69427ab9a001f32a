/** The engine of `decide.remote`, in a process of its own: the channel's listener over a real decision service. Told its identity over IPC. */
import { systemClock } from '#client/clock';
import { silentLog } from '#client/log';
import { serveDecisions } from '#engine/apart/serve-decisions';
import { openListener } from '#engine/channel/listener';
import type { TlsIdentity } from '#engine/channel/parts';
import { peerOf } from '#test/support/channel';
import { openBenchDecisions } from './decisions.ts';

process.once('message', (identity: TlsIdentity) => {
  void serve(identity);
});
process.once('disconnect', () => process.exit());

async function serve(identity: TlsIdentity): Promise<void> {
  const { service } = await openBenchDecisions();
  const listener = await openListener({
    listen: { host: '127.0.0.1', port: 0 },
    tls: () => identity,
    authorise: peerOf,
    handlers: serveDecisions({ decisions: service, clock: systemClock }),
    clock: systemClock,
    log: silentLog,
    software: 'bench',
  });
  process.send?.(listener.address.port);
}
