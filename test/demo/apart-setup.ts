/** The folder of `npm run demo -- --apart`: one file for each process, all on this machine. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { freePort } from '#test/support/nats';
import { toolOrExit } from '#tools/tools';
import { type DemoFolder, setUp } from './setup.ts';

export interface ApartFolder extends DemoFolder {
  /** Programs that the steps call, by name. */
  readonly programs: Readonly<Record<string, string>>;
}

/** @param say called before each part that takes time */
export async function setUpApart(say: (what: string) => void): Promise<ApartFolder> {
  const program = await toolOrExit('nats-server');
  const { dir, server } = await setUp(say);
  rmSync(join(dir, 'interlock.yaml')); // of one process
  const ports = [await freePort(), await freePort(), await freePort()] as const;
  const [nats, ...channels] = ports;
  const archive = `nats:\n  servers: [nats://127.0.0.1:${nats}]\n`;
  const engines = channels.map((port) => `127.0.0.1:${port}`);
  for (const [index, channel] of engines.entries()) write(dir, `engine-${index + 1}`, engineFile(`engine-${index + 1}`, channel) + archive);
  for (const [target, judging] of [
    ['shop', 'local'],
    ['reports', 'remote'],
  ] as const)
    write(dir, target, enforcerFile(target, judging, engines, server.port) + archive);
  write(
    dir,
    'setup',
    `contract: 1\nstate: { dir: ./setup }\nenforcer: { engines: [${engines[0] ?? ''}] }\ntargets: ${targetsOfNobody()}\n${archive}`,
  );
  return { dir, server, programs: { 'nats-server': program } };
}

function write(dir: string, name: string, text: string): void {
  mkdirSync(join(dir, name), { mode: 0o700 });
  writeFileSync(join(dir, `${name}.yaml`), text);
}

function engineFile(name: string, channel: string): string {
  return `# One of two engines: policies, approvals, identity, credentials, API and console.
contract: 1
state: { dir: ./${name} }
engine: { listen: ${channel} }       # where enforcers connect: mutual TLS
api: { listen: 127.0.0.1:0, admins: [admins] }
identity: { local: { enabled: true } }
policies:
  source: { dir: ./policies }
  data: [./data.yaml]
targets:
  shop: { protocol: postgresql, env: production, credential: { user: interlock_rw, password: { file: ./shop.password } } }
  reports: { protocol: postgresql, env: production, credential: { user: interlock_rw, password: { file: ./shop.password } } }
approvals: { wait: 2m }
log: { level: info, format: json }
`;
}

function enforcerFile(target: string, judging: 'local' | 'remote', engines: readonly string[], port: number): string {
  return `# An enforcer beside its target: no policy, no credential, no secret but its own key.
contract: 1
state: { dir: ./${target} }
enforcer: { engines: [${engines.join(', ')}] }
operations: { listen: off }
targets:
  ${target}:
    protocol: postgresql
    listen: 127.0.0.1:0
    judging: ${judging}
    tls: { cert: ./tls/gateway.crt, key: ./tls/gateway.key, ca: ./tls/ca.crt }
    upstream: { host: 127.0.0.1, port: ${port}, databases: [shop], tls: { mode: verify-full, ca: ./tls/ca.crt } }
log: { level: info, format: json }
`;
}

/** Whoever makes the streams is a process of its own, with a key and nothing else. */
function targetsOfNobody(): string {
  return '{ none: { protocol: postgresql, listen: 127.0.0.1:0, upstream: { host: 127.0.0.1, databases: [none], tls: { mode: off } } } }';
}

/** Ends what the steps started; their ids stand in `pids`. */
export async function endAll(dir: string): Promise<void> {
  const ids = existsSync(join(dir, 'pids')) ? readFileSync(join(dir, 'pids'), 'utf8').split('\n').filter(Boolean).map(Number) : [];
  for (const id of ids) signal(id, 'SIGTERM');
  for (let tries = 0; tries < 100 && ids.some((id) => signal(id, 0)); tries++) await setTimeout(100);
  for (const id of ids) signal(id, 'SIGKILL');
}

/** False: there is none any more. */
function signal(id: number, what: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(id, what);
  } catch {
    return false;
  }
}
