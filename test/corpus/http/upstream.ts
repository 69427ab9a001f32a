/** A real server that answers whatever it is asked, and a byte relay in front of it that remembers what reached it. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { startRelay, type Relay } from '#test/support/relay';
import type { OriginResponse } from './case.ts';
import { answerGraphql } from './graph.ts';

export interface Upstream extends AsyncDisposable {
  readonly relay: Relay;
  readonly url: string;
  /** Of this server alone, without the relay. */
  readonly directUrl: string;
  /** What it answers from now on; null: what its API answers. */
  answer: OriginResponse | null;
  /** Everything that reached it since `forget`. */
  reached(): Buffer;
  forget(): void;
}

export async function startUpstream(): Promise<Upstream> {
  const state: { answer: OriginResponse | null } = { answer: null };
  const server = createServer({ insecureHTTPParser: true, maxHeaderSize: 1 << 20 }, (request, response) => {
    void serve(request, response, state.answer).catch(() => response.destroy());
  });
  server.on('upgrade', (_request, socket: Duplex) => upgrade(socket, state.answer));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const relay = await startRelay({ host: '127.0.0.1', port });
  return {
    relay,
    url: `http://127.0.0.1:${relay.port}`,
    directUrl: `http://127.0.0.1:${port}`,
    get answer() {
      return state.answer;
    },
    set answer(answer: OriginResponse | null) {
      state.answer = answer;
    },
    reached: () => Buffer.concat(relay.connections.map((connection) => connection.sent())),
    forget: () => relay.clear(),
    async [Symbol.asyncDispose]() {
      await relay.stop();
      await closed(server);
    },
  };
}

async function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  server.close();
  await once(server, 'close');
}

async function serve(request: IncomingMessage, response: ServerResponse, scripted: OriginResponse | null): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  if (scripted !== null) return script(response, scripted);
  const url = new URL(request.url ?? '/', 'http://upstream');
  if (url.pathname === '/graphql') return answerGraphql(url, body, response);
  const status = request.method === 'POST' ? 201 : 200;
  // what was asked for, so that a benign request can be compared with what it is without the gateway
  const seen = { method: request.method, path: request.url, type: request.headers['content-type'] ?? null, body: body.toString('latin1') };
  if (request.method === 'OPTIONS') response.setHeader('allow', 'GET, POST, PATCH');
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(seen));
}

function script(response: ServerResponse, { status = 200, headers = {}, body, body_gzip, chunks, trailers }: OriginResponse): void {
  response.sendDate = false;
  response.writeHead(status, headers);
  for (const chunk of chunks ?? []) response.write(chunk);
  if (trailers !== undefined) response.addTrailers(trailers);
  if (body_gzip !== undefined) response.end(gzipSync(body_gzip));
  else response.end(body);
}

function upgrade(socket: Duplex, answer: OriginResponse | null): void {
  socket.on('error', () => {});
  const frames = answer?.websocket_fragments ?? [];
  socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n');
  for (const [index, text] of frames.entries()) {
    const bytes = Buffer.from(text);
    const opcode = index === 0 ? 1 : 0;
    socket.write(Buffer.concat([Buffer.from([opcode | (index === frames.length - 1 ? 0x80 : 0), bytes.length]), bytes]));
  }
  socket.end();
}
