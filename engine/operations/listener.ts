/** `operations.listen`: a small HTTP server of its own, so that an enforcer, which has no API, can be watched too. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { listen } from '#client/listen';
import type { Answer, Answers } from './answers.ts';
import { LIMITS } from './limits.ts';

export interface OperationsListener {
  /** With the port that was taken. */
  readonly url: string;
  close(): Promise<void>;
}

/** @throws InterlockError PORT_TAKEN, CONFIG_INVALID */
export async function listenForOperations(
  { host, port }: { readonly host: string; readonly port: number },
  answers: Pick<Answers, 'answer'>,
): Promise<OperationsListener> {
  const server = createServer(
    {
      maxHeaderSize: LIMITS.headerBytes,
      headersTimeout: LIMITS.headersMs,
      requestTimeout: LIMITS.requestMs,
      connectionsCheckingInterval: LIMITS.headersMs / 2,
      keepAliveTimeout: LIMITS.idleMs,
      insecureHTTPParser: false,
    },
    (request, response) => respond(request, response, answers),
  );
  server.maxConnections = LIMITS.connections;
  await listen(server, { host, port });
  const taken = (server.address() as AddressInfo).port;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}`,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

const NOT_FOUND: Answer = {
  status: 404,
  type: 'application/json',
  text: '{"error":{"code":"ROUTE_NOT_FOUND","message":"there is no such route"}}\n',
};

function respond(request: IncomingMessage, response: ServerResponse, answers: Pick<Answers, 'answer'>): void {
  request.resume(); // a body is nobody's here
  const path = (request.url ?? '/').split('?', 1)[0] ?? '/';
  const { status, type, text } =
    answers.answer({ method: request.method ?? '', path, headers: request.headers, remoteAddress: request.socket.remoteAddress }) ?? NOT_FOUND;
  response.writeHead(status, {
    'content-type': type,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
  });
  response.end(request.method === 'HEAD' ? undefined : text);
}
