/** How ordinary clients reach an agent's targets. */
import { readFile } from 'node:fs/promises';
import type { LoadedConfig, TargetConfig } from '../../config/config.ts';
import { firstDatabase, reach, rootCert, targetOf } from '../door.ts';

export interface Way {
  readonly target: string;
  readonly protocol: TargetConfig['protocol'];
  readonly host: string;
  readonly port: number;
  /** Of a database. */
  readonly database: string;
  readonly tls: boolean;
  /** PEM of what its certificate is checked with; null: the system's roots, or no TLS. */
  readonly ca: string | null;
  /** Of an MCP server; of an API its base. */
  readonly url: string;
}

export async function waysOf(config: LoadedConfig, names: readonly string[], url: string): Promise<readonly Way[]> {
  return await Promise.all(names.map(async (name) => await wayOf(config, targetOf(config, name), url)));
}

async function wayOf(config: LoadedConfig, target: TargetConfig, url: string): Promise<Way> {
  const { name, protocol, tls } = target;
  const { host, port } = await reach(config, target, undefined);
  const file = await rootCert(target);
  const ca = file === null ? null : await readFile(file, 'utf8').catch(() => null);
  const origin = `${tls === null ? 'http' : 'https'}://${host.includes(':') ? `[${host}]` : host}:${port}`;
  return {
    target: name,
    protocol,
    host,
    port,
    database: protocol === 'postgresql' ? await firstDatabase(config, target) : '',
    tls: tls !== null,
    ca,
    url: protocol === 'mcp' ? `${url}/mcp/${name}` : origin,
  };
}
