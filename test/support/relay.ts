/** A byte relay that remembers everything: the ground truth for what reached a server, and for what a client was sent (SECURITY §3.4 O1). */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

export interface RelayedConnection {
  readonly index: number;
  /** What the client sent, and what the server answered, whole. */
  sent(): Buffer;
  answered(): Buffer;
}

export interface Relay extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly connections: readonly RelayedConnection[];
  /** Whether any client ever sent these bytes; a text as UTF-8. */
  reached(bytes: string | Uint8Array): boolean;
  /** Forget what was recorded so far; open connections go on. */
  clear(): void;
  stop(): Promise<void>;
}

/** @param onBytes called for each chunk before it is passed on */
export async function startRelay(
  target: { readonly host: string; readonly port: number },
  onBytes: (from: 'client' | 'server', chunk: Buffer, connection: number) => void = () => {},
): Promise<Relay> {
  const records: { index: number; sent: Buffer[]; answered: Buffer[] }[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const record = { index: count++, sent: [] as Buffer[], answered: [] as Buffer[] };
    records.push(record);
    const upstream = createConnection({ ...target, noDelay: true, allowHalfOpen: true });
    join(client, upstream, (chunk) => {
      record.sent.push(chunk);
      onBytes('client', chunk, record.index);
    });
    join(upstream, client, (chunk) => {
      record.answered.push(chunk);
      onBytes('server', chunk, record.index);
    });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.once('close', () => sockets.delete(socket));
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the relay has no port');
  const stop = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    if (!server.listening) return;
    server.close();
    await once(server, 'close');
  };
  return {
    host: '127.0.0.1',
    port: address.port,
    stop,
    [Symbol.asyncDispose]: stop,
    get connections() {
      return records.map(({ index, sent, answered }) => ({ index, sent: () => Buffer.concat(sent), answered: () => Buffer.concat(answered) }));
    },
    reached: (bytes) => records.some(({ sent }) => Buffer.concat(sent).includes(Buffer.from(bytes as Uint8Array))),
    clear: () => {
      for (const record of records) record.sent.length = record.answered.length = 0;
    },
  };
}

/** Passes bytes one way, with back-pressure, and the end of the stream after them. */
function join(from: Socket, to: Socket, onChunk: (chunk: Buffer) => void): void {
  from.on('data', (chunk: Buffer) => {
    onChunk(chunk);
    if (!to.write(chunk)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}
