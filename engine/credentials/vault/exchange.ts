/** One question to Vault over HTTP (https://developer.hashicorp.com/vault/api-docs): no redirect, no proxy, bounded in time and size. */
import { readFileSync } from 'node:fs';
import { Agent as PlainAgent, request as requestPlain, type IncomingMessage } from 'node:http';
import { Agent as TlsAgent, request as requestTls } from 'node:https';
import { VAULT_BYTES_MAX, VAULT_SOCKETS_MAX } from '../limits.ts';

export interface VaultAddress {
  /** https; http on loopback alone, which the configuration sees to. */
  readonly address: string;
  readonly namespace: string | null;
  /** null: the system's roots. */
  readonly caFile: string | null;
  /** For one answer, from the question on. */
  readonly timeoutMs: number;
}

export interface VaultAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface VaultQuestion {
  readonly method: 'GET' | 'POST' | 'PUT';
  /** Below `/v1/`. */
  readonly path: string;
  readonly token: string | null;
  readonly body?: object;
}

/** Nothing that it throws repeats what was sent or answered: both hold secrets. */
export class VaultUnreachable extends Error {}

export class VaultExchange {
  readonly #options: VaultAddress;
  readonly #agent: PlainAgent | TlsAgent;
  readonly #request: typeof requestPlain | typeof requestTls;

  constructor(options: VaultAddress) {
    this.#options = options;
    const kept = { keepAlive: true, maxSockets: VAULT_SOCKETS_MAX };
    const tls = options.address.startsWith('https:');
    this.#request = tls ? requestTls : requestPlain;
    // read when the first connection is opened, and not again: another authority needs another start
    this.#agent = tls ? new TlsAgent({ ...kept, minVersion: 'TLSv1.2', ...authority(options.caFile) }) : new PlainAgent(kept);
  }

  /** Rejects with VaultUnreachable for anything but a complete answer; whatever its status. */
  async ask(question: VaultQuestion): Promise<VaultAnswer> {
    try {
      const response = await this.#send(question);
      const text = await collect(response);
      return { status: response.statusCode ?? 0, body: documentOf(text) };
    } catch (error) {
      if (error instanceof VaultUnreachable) throw error;
      throw new VaultUnreachable(reasonOf(error));
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send({ method, path, token, body }: VaultQuestion): Promise<IncomingMessage> {
    const { address, namespace, timeoutMs } = this.#options;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers = {
      'X-Vault-Request': 'true',
      ...(token !== null && { 'X-Vault-Token': token }),
      ...(namespace !== null && { 'X-Vault-Namespace': namespace }),
      ...(text !== undefined && { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
    };
    const url = new URL(`v1/${path}`, `${address}/`);
    const request = this.#request(url, { method, headers, agent: this.#agent, signal: AbortSignal.timeout(timeoutMs) }, resolve);
    request.on('error', reject).end(text);
    return promise;
  }
}

function authority(caFile: string | null): { ca?: Buffer } {
  return caFile === null ? {} : { ca: readFileSync(caFile) };
}

async function collect(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > VAULT_BYTES_MAX) throw new VaultUnreachable(`its answer is longer than ${VAULT_BYTES_MAX} bytes`);
    chunks.push(chunk);
  }
  if (!response.complete) throw new VaultUnreachable('its answer was cut off');
  return Buffer.concat(chunks).toString('utf8');
}

/** What is no object says nothing: the status has to. */
function documentOf(text: string): VaultAnswer['body'] {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as VaultAnswer['body']) : {};
  } catch {
    return {};
  }
}

/** A code such as ECONNREFUSED, and never the text: it could repeat an address with more in it. */
function reasonOf(error: unknown): string {
  const { name, code } = error as { name?: string; code?: string };
  if (name === 'TimeoutError' || name === 'AbortError' || code === 'ABORT_ERR') return 'it did not answer in time';
  return `it cannot be reached (${typeof code === 'string' ? code : 'unknown'})`;
}
