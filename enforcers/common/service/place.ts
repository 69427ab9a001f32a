/** Where a target is: its authority, its addresses, and connections to nowhere else (SECURITY H9). */
import { lookup } from 'node:dns/promises';
import { BlockList, connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { InterlockError } from '#schemas/errors';
import { SERVICE_LIMITS } from './limits.ts';

/** Link-local addresses, where clouds keep their metadata; unspecified, multicast and broadcast ones, which are no server's. */
const NEVER = new BlockList();
NEVER.addSubnet('169.254.0.0', 16, 'ipv4');
NEVER.addSubnet('0.0.0.0', 8, 'ipv4');
NEVER.addSubnet('224.0.0.0', 3, 'ipv4');
NEVER.addAddress('100.100.100.200', 'ipv4');
NEVER.addAddress('168.63.129.16', 'ipv4');
NEVER.addAddress('192.0.0.192', 'ipv4');
NEVER.addSubnet('fe80::', 10, 'ipv6');
NEVER.addSubnet('ff00::', 8, 'ipv6');
NEVER.addAddress('::', 'ipv6');
NEVER.addAddress('fd00:ec2::254', 'ipv6');
NEVER.addAddress('fd00:42::42', 'ipv6');
NEVER.addAddress('fd00:c1::a9fe:a9fe', 'ipv6');
NEVER.addAddress('fd20:ce::254', 'ipv6');
/** Tunnels whose addresses hold another one: 6to4, Teredo. */
NEVER.addSubnet('2002::', 16, 'ipv6');
NEVER.addSubnet('2001::', 32, 'ipv6');

/** Whether the gateway connects there unless the configuration names this very address. */
export function isRefused(address: string): boolean {
  const mapped = mappedIpv4(address);
  if (mapped !== null) return NEVER.check(mapped, 'ipv4');
  const family = isIP(address);
  return family === 0 || NEVER.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/** IPv4 inside IPv6: `::ffff:169.254.169.254`, `::ffff:0:a9fe:a9fe`, `64:ff9b::a9fe:a9fe`, `64:ff9b:1::a9fe:a9fe`, `::a9fe:a9fe`. */
function mappedIpv4(address: string): string | null {
  if (isIP(address) !== 6) return null;
  const compact = new URL(`http://[${address.split('%')[0] ?? ''}]`).hostname.slice(1, -1);
  const [, high, low] = /^(?:::ffff:(?:0:)?|64:ff9b:(?:1:(?:[0-9a-f]{1,4}:){0,3})?:?|::)([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(compact) ?? [];
  if (high === undefined || low === undefined) return null;
  const [a, b] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return `${a >> 8}.${a & 255}.${b >> 8}.${b & 255}`;
}

export interface ServiceAddress {
  /** `https://api.internal:8443/v1`: scheme, authority, and the path in front of every request's. No user, query or fragment. */
  readonly url: string;
  /** Authority that its certificate is checked with, PEM; absent: the system's roots. */
  readonly ca?: string;
  /** The only addresses that its name may have; absent: what it resolves to, without link-local and metadata addresses. */
  readonly addresses?: readonly string[];
}

export interface PlaceParts {
  readonly upstream: ServiceAddress;
  readonly target: string;
  /** Monotonic, milliseconds. */
  readonly nowMs: () => number;
  /** The resolver; tests have their own names. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

export class Place {
  readonly #parts: PlaceParts;
  readonly host: string;
  readonly port: number;
  readonly secure: boolean;
  /** As `Host` says it. */
  readonly authority: string;
  /** In front of every path; empty: nothing. */
  readonly prefix: string;
  #known: { readonly addresses: readonly string[]; readonly atMs: number } | null = null;
  #looking: Promise<readonly string[]> | null = null;
  #next = 0;

  /** @throws InterlockError CONFIG_INVALID */
  constructor(parts: PlaceParts) {
    const { upstream, target } = parts;
    const url = URL.canParse(upstream.url) ? new URL(upstream.url) : null;
    if (url === null || !/^https?:$/.test(url.protocol) || url.username + url.password + url.search + url.hash !== '')
      throw new InterlockError(
        'CONFIG_INVALID',
        `targets.${target}: its address must be https://HOST[:PORT][/PATH], without user, query and fragment`,
      );
    this.#parts = parts;
    this.secure = url.protocol === 'https:';
    this.host = url.hostname.replace(/^\[|\]$/g, '');
    this.port = url.port === '' ? (this.secure ? 443 : 80) : Number(url.port);
    this.authority = url.host;
    this.prefix = url.pathname.replace(/\/+$/, '');
  }

  /** A connection by address, with the name checked. Rejects TARGET_UNREACHABLE. */
  async connect(): Promise<Socket> {
    const addresses = await this.#addresses();
    const address = addresses[this.#next++ % addresses.length] as string;
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    const socket = this.#open(address, () => resolve(socket));
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${SERVICE_LIMITS.connectMs} ms`)), SERVICE_LIMITS.connectMs);
    socket.on('error', (error: NodeJS.ErrnoException) => reject(unreachable(this.authority, error.code ?? error.message, error)));
    socket.on('close', () => reject(unreachable(this.authority, 'it closed the connection')));
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  #open(address: string, opened: () => void): Socket {
    if (!this.secure) return connect({ host: address, port: this.port, noDelay: true }, opened);
    const { ca } = this.#parts.upstream;
    const named = isIP(this.host) === 0 ? { servername: this.host } : {};
    return connectTls(
      { host: address, port: this.port, ...named, ...(ca !== undefined && { ca }), minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] },
      opened,
    ).setNoDelay(true);
  }

  /** Resolved once for a while, every address checked; what they are is not asked again between check and use. */
  #addresses(): Promise<readonly string[]> {
    const known = this.#known;
    if (known !== null && this.#parts.nowMs() - known.atMs < SERVICE_LIMITS.resolvedMs) return Promise.resolve(known.addresses);
    this.#looking ??= this.#look().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #look(): Promise<readonly string[]> {
    const { upstream, resolve = resolved, nowMs } = this.#parts;
    const found =
      isIP(this.host) === 0
        ? await resolve(this.host).catch((error: Error) => Promise.reject(unreachable(this.authority, error.message, error)))
        : [this.host];
    const addresses = found.slice(0, SERVICE_LIMITS.addresses);
    const pinned = upstream.addresses ?? null;
    const wrong = addresses.find((address) => (pinned === null ? isRefused(address) : !pinned.includes(address)));
    if (addresses.length === 0) throw unreachable(this.authority, 'its name has no address');
    if (wrong !== undefined)
      throw unreachable(this.authority, `its name leads to ${wrong}, which ${pinned === null ? 'is refused' : 'is none of `addresses`'}`);
    this.#known = { addresses, atMs: nowMs() };
    return addresses;
  }
}

async function resolved(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

/** A client is told no more than that: where the target is, and why it does not answer, stands in the log. */
function unreachable(authority: string, why: string, cause?: Error): InterlockError {
  return new InterlockError('TARGET_UNREACHABLE', `${authority}: ${why}`, { cause });
}
