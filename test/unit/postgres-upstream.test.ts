/** The connection to a target that does not take it: nothing of it stays open. */
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { openTarget } from '#enforcers/postgres/upstream';

test.each([
  ['no TLS', 'N', 'does not offer TLS'],
  ['bytes before TLS', 'Sx', 'more than 1 bytes'],
  ['not even an answer', '', ''],
])('%s: refused, and closed', async (_name, answer, says) => {
  const server = createServer((socket) => socket.once('data', () => (answer === '' ? socket.end() : socket.write(answer))));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const closed = new Promise<void>((resolve) =>
    server.once('connection', (socket: Socket) =>
      socket
        .resume()
        .on('error', () => {})
        .once('close', () => resolve()),
    ),
  );
  const { port } = server.address() as AddressInfo;
  await expect(openTarget({ host: '127.0.0.1', port, databases: ['shop'], tls: { mode: 'verify-full' } })).rejects.toThrow(says);
  await closed; // else whoever could not start would not end either
  server.close();
});
