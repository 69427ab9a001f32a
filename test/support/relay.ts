/** A byte relay that remembers everything: the ground truth for what reached a server, and for what a client was sent (SECURITY §3.4 O1). */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

export interface RelayedConnection {
  readonly index: number;
  /** What the client sent, and what the server answered, whole. */
  sent(): Buffer;
  answered(): Buffer;
  readonly open: boolean;
  /** Asks the server something of the tester's own while the client waits for nothing; neither side sees it. Resolves when `whole` says so, or at the end. */
  ask(question: Buffer, whole: (answer: Buffer) => boolean): Promise<Buffer>;
}

export interface Relay extends AsyncDisposable {
  readonly host: '127.0.0.1';
  readonly port: number;
  readonly connections: readonly RelayedConnection[];
  /** Whether any client ever sent these bytes; a text as UTF-8. */
  reached(bytes: string | Uint8Array): boolean;
  /** The same without the gateway's own connections, over which it only asks for names and plans. */
  ran(bytes: string | Uint8Array): boolean;
  /** Forget what was recorded so far; open connections go on. */
  clear(): void;
  stop(): Promise<void>;
}

/** @param onBytes called for each chunk before it is passed on */
export async function startRelay(
  target: { readonly host: string; readonly port: number },
  onBytes: (from: 'client' | 'server', chunk: Buffer, connection: number) => void = () => {},
): Promise<Relay> {
  const records: {
    index: number;
    sent: Buffer[];
    answered: Buffer[];
    upstream: Socket;
    /** Its start-up says that it is the gateway itself. */
    own: boolean;
    /** Set while the tester asks: gets the server's bytes instead of the client, null at the end. */
    aside: ((chunk: Buffer | null) => void) | null;
  }[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => {
    const upstream = createConnection({ ...target, noDelay: true, allowHalfOpen: true });
    const record: (typeof records)[number] = { index: count++, sent: [], answered: [], upstream, own: false, aside: null };
    records.push(record);
    join(client, upstream, (chunk) => {
      record.own ||= chunk.includes('\0application_name\0interlock\0');
      record.sent.push(chunk);
      onBytes('client', chunk, record.index);
      return true;
    });
    join(upstream, client, (chunk) => {
      if (record.aside) {
        record.aside(chunk);
        return false;
      }
      record.answered.push(chunk);
      onBytes('server', chunk, record.index);
      return true;
    });
    upstream.once('close', () => record.aside?.(null));
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
      return records.map((record) => ({
        index: record.index,
        sent: () => Buffer.concat(record.sent),
        answered: () => Buffer.concat(record.answered),
        open: !record.upstream.destroyed,
        ask: (question: Buffer, whole: (answer: Buffer) => boolean) =>
          new Promise<Buffer>((resolve) => {
            const parts: Buffer[] = [];
            record.aside = (chunk) => {
              if (chunk) parts.push(chunk);
              const answer = Buffer.concat(parts);
              if (chunk && !whole(answer)) return;
              record.aside = null;
              resolve(answer);
            };
            if (record.upstream.destroyed) record.aside(null);
            else record.upstream.write(question);
          }),
      }));
    },
    reached: (bytes) => records.some(({ sent }) => Buffer.concat(sent).includes(Buffer.from(bytes as Uint8Array))),
    ran: (bytes) => records.some(({ own, sent }) => !own && Buffer.concat(sent).includes(Buffer.from(bytes as Uint8Array))),
    clear: () => {
      for (const record of records) record.sent.length = record.answered.length = 0;
    },
  };
}

/** Passes bytes one way, with back-pressure, and the end of the stream after them; not those that `onChunk` keeps. */
function join(from: Socket, to: Socket, onChunk: (chunk: Buffer) => boolean): void {
  from.on('data', (chunk: Buffer) => {
    if (onChunk(chunk) && !to.write(chunk)) {
      from.pause();
      to.once('drain', () => from.resume());
    }
  });
  from.on('end', () => to.end());
  from.on('error', () => to.destroy());
  from.on('close', () => to.destroy());
}
