/** What a listener says that cannot listen: the same words wherever it stands. */
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { expect, test } from 'vitest';
import { listen } from '#client/listen';

test('a port that is taken, an address that is not ours, and one that is free', async () => {
  const [first, second] = [createServer(), createServer()];
  await listen(first, { host: '127.0.0.1', port: 0 });
  const { port } = first.address() as AddressInfo;
  await expect(listen(second, { host: '127.0.0.1', port })).rejects.toMatchObject({ code: 'PORT_TAKEN', message: `127.0.0.1:${port} is in use` });
  await expect(listen(createServer(), { host: '203.0.113.1', port: 0 })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: 'cannot listen on 203.0.113.1:0 (EADDRNOTAVAIL)',
  });
  first.close();
});
