import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { expect, test } from 'vitest';
import { HandshakeReader } from '#enforcers/common/reader';

const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;

test('a peer that leaves leaves no timer behind: a gateway that was told to end would wait for it', async () => {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const peer = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  const before = timers();
  const reader = new HandshakeReader(socket, { ms: 60_000, bytesMax: 10 });
  expect(timers()).toBe(before + 1);
  const taken = reader.take(8).catch((error: unknown) => error);
  peer.destroy();
  await taken;
  await expect.poll(() => timers()).toBeLessThanOrEqual(before);
  socket.destroy();
  server.close();
});
