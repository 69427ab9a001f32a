/** A TCP relay whose two directions can be shut, as a partition does: what is sent then is held, not lost, and goes on when it is opened. */
import { once } from 'node:events';
import { createConnection, createServer, type Socket } from 'node:net';

export interface Valve extends AsyncDisposable {
  readonly port: number;
  /** `open.toClient = false`: answers are held. */
  readonly open: { toServer: boolean; toClient: boolean };
}

export async function startValve(port: number): Promise<Valve> {
  const flows: (() => void)[] = [];
  const sockets = new Set<Socket>();
  const state = { toServer: true, toClient: true };
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
      flow(client, upstream, () => state.toServer),
      flow(upstream, client, () => state.toClient),
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
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Answers what lets through what is held, if it may go. */
function flow(from: Socket, to: Socket, isOpen: () => boolean): () => void {
  let held: Buffer[] = [];
  from.on('data', (bytes: Buffer) => {
    if (isOpen()) to.write(bytes);
    else held.push(bytes);
  });
  return () => {
    if (!isOpen()) return;
    for (const bytes of held) to.write(bytes);
    held = [];
  };
}
