/** How a server of ours begins to listen, and what it says when it cannot: the same words wherever it stands. */
import type { Server } from 'node:net';
import { InterlockError } from '#schemas/errors';

/** @throws InterlockError PORT_TAKEN, CONFIG_INVALID (an address that this machine does not have) */
export function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      reject(
        taken
          ? new InterlockError('PORT_TAKEN', `${host}:${port} is in use`, { cause })
          : new InterlockError('CONFIG_INVALID', `cannot listen on ${host}:${port} (${cause.code ?? 'unknown'})`, { cause }),
      );
    });
    server.listen(port, host, resolve);
  });
}
