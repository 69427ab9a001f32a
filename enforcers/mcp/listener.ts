/** Where clients of MCP connect: one listener for each address, for as many targets as name it. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { listen } from '#client/listen';
import { InterlockError } from '#schemas/errors';
import { MCP_LIMITS } from './limits.ts';

export type McpHandler = (request: IncomingMessage, response: ServerResponse, at: { readonly port: number; readonly tls: boolean }) => void;

export interface Place {
  readonly host: string;
  readonly port: number;
  readonly tls: { readonly cert: string; readonly key: string } | null;
}

/** A target's share of a listener. */
export interface Share {
  readonly address: { readonly host: string; readonly port: number };
  readonly listening: boolean;
  /** @throws InterlockError CONFIG_INVALID */
  renew(tls: { readonly cert: string; readonly key: string }): void;
  /** The last one closes the listener. */
  close(): void;
}

/** Of one process: what stands at the same address is shared. */
export class McpListeners {
  readonly #open = new Map<string, Listener>();

  /** @throws InterlockError PORT_TAKEN, CONFIG_INVALID */
  async share(place: Place, target: string, handler: McpHandler): Promise<Share> {
    const key = `${place.host}:${place.port}`;
    let listener = place.port === 0 ? undefined : this.#open.get(key);
    if (listener === undefined) {
      listener = new Listener(place);
      await listener.listen();
      if (place.port !== 0) this.#open.set(key, listener);
    }
    const shared = listener;
    shared.handlers.set(target, handler);
    return {
      address: shared.address,
      get listening() {
        return shared.server.listening;
      },
      renew: (tls) => shared.renew(tls),
      close: () => {
        shared.handlers.delete(target);
        if (shared.handlers.size > 0) return;
        this.#open.delete(key);
        shared.server.close();
        shared.server.closeAllConnections();
      },
    };
  }
}

class Listener {
  readonly handlers = new Map<string, McpHandler>();
  readonly server: Server;
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
    const limits = {
      maxHeaderSize: MCP_LIMITS.headerBytes,
      headersTimeout: MCP_LIMITS.headersMs,
      requestTimeout: MCP_LIMITS.requestMs,
      connectionsCheckingInterval: MCP_LIMITS.headersMs / 4,
      keepAliveTimeout: MCP_LIMITS.keepAliveMs,
      insecureHTTPParser: false,
      noDelay: true,
    };
    const { tls } = place;
    this.server = tls === null ? createServer(limits) : createTlsServer({ ...limits, ...tls, minVersion: 'TLSv1.2' });
    this.server.maxHeadersCount = MCP_LIMITS.headers;
    this.server.maxConnections = MCP_LIMITS.sockets;
    this.server.on('request', (request, response) => this.#serve(request, response));
    this.server.on('clientError', (_error, socket) => socket.destroy());
  }

  get address(): { readonly host: string; readonly port: number } {
    const address = this.server.address() as AddressInfo | null;
    return { host: address?.address ?? this.#place.host, port: address?.port ?? this.#place.port };
  }

  async listen(): Promise<void> {
    await listen(this.server, this.#place);
  }

  renew(tls: { readonly cert: string; readonly key: string }): void {
    if (!(this.server instanceof TlsServer)) return;
    try {
      this.server.setSecureContext({ ...tls, minVersion: 'TLSv1.2' });
    } catch (error) {
      throw new InterlockError('CONFIG_INVALID', 'certificate and key cannot be used together', { cause: error });
    }
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    const target = targetOf(request.url ?? '');
    const handler = target === null ? undefined : this.handlers.get(target);
    if (handler !== undefined) return handler(request, response, { port: this.address.port, tls: this.#place.tls !== null });
    response.writeHead(404, { 'content-type': 'text/plain', connection: 'close' });
    response.end('there is nothing here\n');
  }
}

const WELL_KNOWN = '/.well-known/oauth-protected-resource/mcp/';

/** Of the only two addresses that a target has, in this one spelling; null: another. */
export function targetOf(url: string): string | null {
  const match = /^(?:\/mcp\/|\/\.well-known\/oauth-protected-resource\/mcp\/)([a-z0-9][a-z0-9_-]{0,62})$/.exec(url);
  return match?.[1] ?? null;
}

export function isMetadata(url: string): boolean {
  return url.startsWith(WELL_KNOWN);
}
