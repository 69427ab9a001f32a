/**
 * A TCP relay whose two directions can be shut, as a partition does: what is sent then is held, not lost, and goes on when it is opened. It can be slow
 * too: what is sent arrives later, and in its order.
 */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

export interface Valve extends AsyncDisposable {
  readonly port: number;
  /** `open.toClient = false`: answers are held. */
  readonly open: { toServer: boolean; toClient: boolean };
  /** How much later what comes now arrives, ms, asked for each piece of it; null: at once. */
  late: (() => number) | null;
}

export async function startValve(port: number): Promise<Valve> {
  const flows: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const state = { toServer: true, toClient: true };
  const delay: Pick<Valve, 'late'> = { late: null };
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = createConnection({ host: '127.0.0.1', port, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.once('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    flows.push(
      flow(client, upstream, delay, () => state.toServer),
      flow(upstream, client, delay, () => state.toClient),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const open = {
    get toServer() {
      return state.toServer;
    },
    set toServer(value: boolean) {
      state.toServer = value;
      for (const each of flows) each();
    },
    get toClient() {
      return state.toClient;
    },
    set toClient(value: boolean) {
      state.toClient = value;
      for (const each of flows) each();
    },
  };
  return {
    port: (server.address() as { port: number }).port,
    open,
    get late() {
      return delay.late;
    },
    set late(value) {
      delay.late = value;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers what lets through what is held, if it may go. */
function flow(from: Socket, to: Socket, delay: Pick<Valve, 'late'>, isOpen: () => boolean): () => void {
  const held: { readonly bytes: Buffer; readonly dueMs: number }[] = [];
  let timer: NodeJS.Timeout | null = null;
  const go = (): void => {
    for (let next = held[0]; next !== undefined && isOpen(); next = held[0]) {
      const leftMs = next.dueMs - performance.now();
      if (leftMs > 0) {
        timer ??= setTimeout(() => {
          timer = null;
          go();
        }, leftMs);
        return;
      }
      held.shift();
      to.write(next.bytes);
    }
  };
  from.on('data', (bytes: Buffer) => {
    if (held.length === 0 && delay.late === null && isOpen()) to.write(bytes);
    else held.push({ bytes, dueMs: performance.now() + (delay.late?.() ?? 0) });
    go();
  });
  return go;
}
