/**
 * The HTTP API and the console. Node's own http server and a table of routes: so few need no framework, and every limit stands in sight.
 * https://nodejs.org/docs/latest-v24.x/api/http.html
 */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '#client/clock';
import { listen } from '#client/listen';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { openAuthzen } from './authzen/house.ts';
import { readConsole, withoutConsole } from './console-files.ts';
import { type House, openHouse } from './house.ts';
import { LIMITS } from './limits.ts';
import type { Mounts } from './mounts.ts';
import type { ApiParts } from './parts.ts';
import { serve } from './serve.ts';

export type { ApiParts, EventQuery, ReviewBook, Status } from './parts.ts';

export interface ApiOptions {
  /** Port 0: any free one. */
  readonly listen: { readonly host: string; readonly port: number };
  /** PEM; null: no TLS, which the configuration accepts on loopback only. */
  readonly tls: { readonly cert: string | Uint8Array; readonly key: string | Uint8Array } | null;
  /** Where browsers reach it; absent: where it listens. */
  readonly publicUrl?: string | null;
  /** The folder of the built console, as soon as it is there; absent: none. */
  readonly console?: Promise<string>;
  readonly parts: ApiParts;
  /** Endpoints of enforcers that stand here too. */
  readonly mounts?: Mounts;
  readonly clock?: Clock;
  /** Shorter ones, for tests that would wait for them. */
  readonly waits?: { readonly headersMs: number; readonly requestMs: number };
  readonly log: Log;
}

export interface Api {
  /** With the port that was taken. */
  readonly url: string;
  /** Another certificate, for connections from now on; where there is no TLS there is none to renew. @throws InterlockError CONFIG_INVALID */
  renew(tls: { readonly cert: string; readonly key: string } | null): void;
  /** Ends streams and connections. */
  close(): Promise<void>;
}

/** @throws InterlockError PORT_TAKEN, CONFIG_INVALID (an address that this machine does not have, a certificate that does not fit its key) */
export async function openApi(options: ApiOptions): Promise<Api> {
  const server = build(options);
  await listen(server, options.listen);
  const { port } = server.address() as AddressInfo;
  const host = options.listen.host.includes(':') ? `[${options.listen.host}]` : options.listen.host;
  const scheme = options.tls === null ? 'http' : 'https';
  const url = `${scheme}://${host}:${port}`;
  const { parts, log, clock = systemClock, publicUrl } = options;
  const house = openHouse({ parts, log, clock, scheme, publicUrl: new URL(publicUrl ?? url), console: withoutConsole('It was not built.') });
  if (options.console !== undefined) void showConsole(options.console, house);
  const authzen = parts.authzen === undefined ? null : openAuthzen({ parts: parts.authzen, clock, publicUrl: publicUrl ?? url });
  server.on('request', (request, response) => {
    const mounted = options.mounts?.find(request.url ?? '') ?? null;
    if (mounted === null) void serve(request, response, house, authzen);
    else mounted(request, response);
  });
  return {
    url,
    renew: (tls) => renewed(server, tls),
    async close() {
      authzen?.close();
      house.close();
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** A gateway governs without its console too: what is wrong with it is said, and stops nothing. */
async function showConsole(folder: Promise<string>, house: House): Promise<void> {
  house.console = withoutConsole('It is being built: reload in a moment.');
  try {
    house.console = await readConsole(await folder);
  } catch (error) {
    house.log.warn({ err: error }, 'the console cannot be shown');
    house.console = withoutConsole('It is not built: `npm run console:build` in the checkout says why, then start the gateway again.');
  }
}

function build({ tls, waits = LIMITS }: ApiOptions): Server {
  const limits = {
    maxHeaderSize: LIMITS.headerBytes,
    headersTimeout: waits.headersMs,
    requestTimeout: waits.requestMs,
    // how often Node looks: its default adds half a minute to both
    connectionsCheckingInterval: Math.ceil(waits.headersMs / 4),
    keepAliveTimeout: LIMITS.idleMs,
    insecureHTTPParser: false,
  };
  const server = tls === null ? createServer(limits) : secure(limits, tls);
  server.maxHeadersCount = LIMITS.headers;
  server.maxConnections = LIMITS.connections;
  server.maxRequestsPerSocket = LIMITS.requestsPerConnection;
  return server;
}

function renewed(server: Server, tls: { readonly cert: string; readonly key: string } | null): void {
  if (tls === null || !(server instanceof TlsServer)) return;
  try {
    server.setSecureContext({ ...tls, minVersion: 'TLSv1.2' });
  } catch (error) {
    throw new InterlockError('CONFIG_INVALID', 'certificate and key of `api.tls` cannot be used together', { cause: error });
  }
}

function secure(limits: object, tls: NonNullable<ApiOptions['tls']>): Server {
  try {
    const material = { cert: asPem(tls.cert), key: asPem(tls.key) };
    return createTlsServer({ ...limits, ...material, minVersion: 'TLSv1.2', handshakeTimeout: LIMITS.headersMs });
  } catch (error) {
    throw new InterlockError('CONFIG_INVALID', 'certificate and key of `api.tls` cannot be used together', { cause: error });
  }
}

function asPem(material: string | Uint8Array): string | Buffer {
  return typeof material === 'string' ? material : Buffer.from(material);
}
