/** What a cluster is made of before its processes start: nodes with TLS between them, a configuration for each process, keys and identities. */
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { journalIdIn } from '#engine/journal/journal-id';
import { type Authority, makeAuthority } from './certificates.ts';
import { enrolAll } from './enrolled.ts';
import { gatewayConfig } from './gateway.ts';
import { type Somebody, somebody, STREAMS, TestNats, until } from './nats.ts';
import { engineHalf, enforcerHalf, freePort } from './shapes.ts';

/** A process of ours: who it is, and where it is. */
export interface Seat {
  readonly name: string;
  readonly dir: string;
  readonly configFile: string;
  /** An engine's channel; an enforcer's port for clients. */
  readonly address: string;
  readonly who: Somebody;
}

export interface Seats {
  readonly engines: readonly Seat[];
  readonly enforcers: readonly Seat[];
}

type Json = Readonly<Record<string, unknown>>;
const NUMBERS = ['1', '2', '3'] as const;

export async function takeSeats(dir: string): Promise<Seats> {
  const seat = async (role: 'engine' | 'enforcer', name: string): Promise<Seat> => {
    const own = join(dir, name);
    mkdirSync(own);
    const who = somebody(role, name, [journalIdIn(join(own, 'journal'))]);
    writeFileSync(join(own, 'seed'), who.seed, { mode: 0o600 });
    return { name, dir: own, configFile: join(own, 'interlock.yaml'), address: `127.0.0.1:${await freePort()}`, who };
  };
  return {
    engines: await Promise.all(NUMBERS.map((n) => seat('engine', `engine-${n}`))),
    enforcers: await Promise.all(NUMBERS.map((n) => seat('enforcer', `shop-${n}`))),
  };
}

export interface Node {
  readonly name: string;
  readonly node: TestNats;
  /** Answers 200 when its copies are as far as the others'. */
  readonly health: string;
}

export interface Nodes {
  readonly nodes: readonly Node[];
  /** The section `nats` of every process, but for who it is. */
  readonly section: Json;
}

/** Three nodes; resolves when the streams stand on all of them. @param stack ends them */
export async function startNodes(dir: string, { engines, enforcers }: Seats, stack: AsyncDisposableStack): Promise<Nodes> {
  const authority = await makeAuthority(join(dir, 'tls'));
  const setup = somebody('setup', 'setup');
  const grants = [...[...engines, ...enforcers].map(({ who }) => who), setup];
  const nodes = await nodesOf(dir, grants, authority);
  for (const { node } of nodes) stack.use(node);
  const servers = nodes.map(({ node }) => `tls://127.0.0.1:${node.port}`);
  const settings = { servers, replicas: 3, tls: { caFile: authority.caFile, certFile: null, keyFile: null } } as const;
  const [{ node: first }] = nodes as [Node];
  const stand = (): Promise<boolean> =>
    first.setUp(setup, settings).then(
      (reports) => reports.every(({ state }) => state !== 'different'),
      () => false, // a cluster takes a moment to elect who leads it
    );
  await until(stand, 30_000, 'the streams');
  return { nodes, section: { servers, replicas: 3, tls: { ca: authority.caFile }, streams: STREAMS } };
}

async function nodesOf(dir: string, grants: readonly Somebody[], authority: Authority): Promise<readonly Node[]> {
  const { certFile: cert, keyFile: key } = await authority.issue('node', { connects: true });
  const tls = { cert, key, ca: authority.caFile };
  const ports = await Promise.all(NUMBERS.map(async () => ({ client: await freePort(), route: await freePort(), health: await freePort() })));
  return await Promise.all(
    ports.map(async ({ client, route, health }, index) => {
      const routes = ports.filter((other) => other.route !== route).map((other) => `nats-route://127.0.0.1:${other.route}`);
      const cluster = { name: 'test', listen: `127.0.0.1:${route}`, routes, tls };
      const name = `nats-${index + 1}`;
      const also = `\nhttp: "127.0.0.1:${health}"\n`;
      const node = await TestNats.start({ grants, dir: join(dir, name), name, port: client, tls, cluster, also });
      return { name, node, health: `http://127.0.0.1:${health}/healthz` };
    }),
  );
}

export interface Installation {
  readonly upstream: { readonly host: string; readonly port: number; readonly user: string; readonly password: string; readonly database: string };
  readonly policies: string;
  readonly nats: Json;
}

/** Configurations of all six, and what an operator copies between engines. @param issuerKey makes the local issuer’s key, with the first engine’s configuration */
export async function install({ engines, enforcers }: Seats, of: Installation, issuerKey: (configFile: string) => Promise<unknown>): Promise<void> {
  const whole = engines.map((seat) => wholeConfig(seat, of));
  for (const [i, { configFile, address }] of engines.entries()) write(configFile, engineHalf(whole[i] as Json, address));
  const [first, ...others] = engines as [Seat, ...Seat[]];
  await enrolAll(
    first.configFile,
    enforcers.map(({ name, dir }) => ({ name, targets: ['shop'], dir: join(dir, 'identity') })),
  );
  await issuerKey(first.configFile);
  for (const other of others) copyKeys(first.dir, other.dir);
  for (const seat of enforcers) write(seat.configFile, enforcerConfig(seat, engines, { ...whole[0], nats: natsOf(seat, of.nats) }));
}

function wholeConfig(seat: Seat, { upstream, policies, nats }: Installation): Json {
  const config = {
    approvals: { wait: '30s' },
    operations: { listen: 'off' },
    journal: { dir: join(seat.dir, 'journal'), segment: '4MiB' },
    nats: natsOf(seat, nats),
  };
  return gatewayConfig({ upstream, policies: { dir: policies }, config }, seat.dir) as Json;
}

function enforcerConfig({ dir, address }: Seat, engines: readonly Seat[], whole: Json): object {
  const { shop } = whole['targets'] as { readonly shop: object };
  const channels = engines.map((engine) => engine.address);
  return enforcerHalf({ ...whole, targets: { shop: { ...shop, listen: address } } }, 'shop', { engines: channels, dir, judging: 'local' });
}

function natsOf({ dir }: Seat, section: Json): Json {
  return { ...section, credentials: { file: join(dir, 'seed') } };
}

/** A journal's own key is its own; the installation's are all engines'. */
function copyKeys(from: string, to: string): void {
  mkdirSync(join(to, 'state'), { mode: 0o700 });
  for (const part of ['keys', 'issuer']) {
    const filter = (source: string): boolean => !source.includes('checkpoint');
    cpSync(join(from, 'state', part), join(to, 'state', part), { recursive: true, filter });
  }
}

function write(file: string, config: object): void {
  writeFileSync(file, JSON.stringify(config, null, 2)); // JSON is YAML
}
