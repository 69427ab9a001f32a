/**
 * `npm run units:check`: the units of tools/deploy/systemd under a real systemd (Debian's, as process 1 of its own namespaces), with the package
 * installed as the page says: an engine, an enforcer that joins, a statement allowed and one denied, a crash, an orderly end. As root on Debian,
 * with `apt-get install mmdebstrap`. `npm test` judges the same units by `systemd-analyze` alone.
 */
import { execFile } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, startPostgres, type PostgresServer } from '#test/support/postgres';
import { packageTarball } from './package.ts';
import { root } from './package/root.ts';
import { debianRoot } from './release/debian-root.ts';
import { accepts, governs } from './release/govern.ts';
import { checked, must } from './release/steps.ts';
import { boot, type Booted } from './release/systemd.ts';

const execute = promisify(execFile);
const ENGINE = 'interlock-engine.service';
const ENFORCER = 'interlock-enforce@shop.service';
const COMMAND = '/opt/interlock/bin/interlock';
const ENGINE_FILE = '/etc/interlock/engine/interlock.yaml';
const ENFORCER_FILE = '/etc/interlock/enforce/shop/interlock.yaml';
const READY_MS_MAX = 60_000;

const scratch = mkdtempSync(join(tmpdir(), 'interlock-units-'));
const place = join(scratch, 'root');

await checked('units under systemd', async (step) => {
  try {
    await step('a Debian with the package in /opt/interlock and the units in place', install);
    await using server = await startPostgres({ major: 17 });
    await server.query('CREATE TABLE notes (id int PRIMARY KEY, body text)');
    await server.query("INSERT INTO notes VALUES (1, 'hello')");
    await using systemd = await step('systemd is up', () => boot(place));
    const ports = { api: await freePort(), channel: await freePort(), shop: await freePort(), health: await freePort() };
    configure(server, ports);
    const engine = (...args: readonly string[]): Promise<string> =>
      systemd.inside(
        'runuser',
        '-u',
        'interlock-engine',
        '--',
        'env',
        'PATH=/opt/interlock/node/bin:/usr/bin:/bin',
        COMMAND,
        ...args,
        '-c',
        ENGINE_FILE,
      );
    await step('the engine is ready when systemd says so', async () => {
      await start(systemd, ENGINE);
      await accepts(ports.api, 1);
    });
    await step('an enforcer joins, and is ready when systemd says so', async () => {
      const admin = await engine('token', '--login', 'root', '--group', 'admins', '--scope', 'approve');
      await systemd.inside(
        'sh',
        '-c',
        'umask 077; printf %s "$1" > /run/interlock-engine/admin; chown interlock-engine /run/interlock-engine/admin',
        'sh',
        admin,
      );
      const code = await engine('enforcer', 'add', 'shop-1', '--target', 'shop', '--token-file', '/run/interlock-engine/admin');
      await systemd.inside('env', 'PATH=/opt/interlock/node/bin:/usr/bin:/bin', COMMAND, 'enforcer', 'join', code.trim(), '-c', ENFORCER_FILE);
      await start(systemd, ENFORCER);
      await accepts(ports.shop, 1);
    });
    const govern = async (): Promise<void> => governs(ports.shop, (await engine('token', '--login', 'you', '--group', 'developers')).trim());
    await step('it governs', govern);
    await step('both run without privileges, each as somebody else', () => confined(systemd));
    await step('killed, it is started again, and governs', async () => {
      const before = await mainPid(systemd, ENFORCER);
      await systemd.inside('systemctl', 'kill', '--kill-who=main', '--signal=KILL', ENFORCER);
      await startedAgain(systemd, ENFORCER, before);
      await govern();
    });
    await step('stopped, both end in order, and their records verify', async () => {
      for (const unit of [ENFORCER, ENGINE]) {
        await systemd.inside('systemctl', 'stop', unit);
        const result = await systemd.inside('systemctl', 'show', '-p', 'Result,ExecMainStatus', unit);
        must(/Result=success/.test(result) && /ExecMainStatus=0/.test(result), `${unit}: ${result}`);
      }
      for (const state of ['/var/lib/interlock-engine', '/var/lib/private/interlock-enforce-shop']) await verify(systemd, state);
    });
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
});

async function install(): Promise<void> {
  mkdirSync(join(place, 'opt/interlock/node/bin'), { recursive: true });
  await debianRoot(place, console.log);
  copyFileSync(realpathSync(process.execPath), join(place, 'opt/interlock/node/bin/node'));
  const options = [
    '--global',
    '--prefix',
    join(place, 'opt/interlock'),
    '--registry=http://127.0.0.1:9/',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  await execute('npm', ['install', ...options, await packageTarball()]);
  const units = join(place, 'opt/interlock/lib/node_modules/interlock-gateway/deploy/systemd');
  for (const name of ['interlock-engine.service', 'interlock-enforce@.service', 'interlock.service'])
    copyFileSync(join(units, name), join(place, 'etc/systemd/system', name));
  copyFileSync(join(units, 'interlock.sysusers.conf'), join(place, 'usr/lib/sysusers.d/interlock.conf'));
  copyFileSync(join(units, 'interlock.tmpfiles.conf'), join(place, 'usr/lib/tmpfiles.d/interlock.conf'));
  await execute('chroot', [place, 'systemd-sysusers']);
}

/** JSON is YAML. */
function configure(
  server: PostgresServer,
  ports: { readonly api: number; readonly channel: number; readonly shop: number; readonly health: number },
): void {
  const upstream = { host: server.host, port: server.port, databases: ['postgres'], tls: { mode: 'off' } };
  const state = (dir: string): object => ({ state: { dir }, journal: { dir: `${dir}/journal` } });
  const engine = {
    contract: 1,
    ...state('/var/lib/interlock-engine'),
    engine: { listen: `127.0.0.1:${ports.channel}` },
    api: { listen: `127.0.0.1:${ports.api}`, admins: ['admins'] },
    identity: { local: { enabled: true } },
    policies: { source: { dir: './policies' }, data: ['./data.yaml'] },
    targets: {
      shop: {
        protocol: 'postgresql',
        env: 'production',
        credential: { user: server.user, password: { file: `/run/credentials/${ENGINE}/secrets_shop` } },
      },
    },
  };
  const enforcer = {
    contract: 1,
    ...state('/var/lib/interlock-enforce-shop'),
    enforcer: { engines: [`127.0.0.1:${ports.channel}`] },
    operations: { listen: `127.0.0.1:${ports.health}` },
    targets: { shop: { protocol: 'postgresql', listen: `127.0.0.1:${ports.shop}`, upstream } },
  };
  const etc = join(place, 'etc/interlock');
  mkdirSync(join(etc, 'enforce/shop/secrets'), { recursive: true, mode: 0o755 });
  chmodSync(join(etc, 'enforce/shop/secrets'), 0o700);
  writeFileSync(join(etc, 'secrets/shop'), server.password, { mode: 0o600 });
  writeFileSync(join(etc, 'engine/interlock.yaml'), JSON.stringify(engine));
  writeFileSync(join(etc, 'enforce/shop/interlock.yaml'), JSON.stringify(enforcer));
  cpSync(join(root, 'policies'), join(etc, 'engine/policies'), { recursive: true });
  copyFileSync(join(root, 'engine/cli/templates/data.yaml'), join(etc, 'engine/data.yaml'));
}

/** `systemctl start` returns when the service has said that it is ready, or failed. */
async function start(systemd: Booted, unit: string): Promise<void> {
  await systemd.inside('systemctl', 'start', unit).catch(async (error: unknown) => {
    throw new Error(`${String(error)}\n${await systemd.inside('journalctl', '--no-pager', '-o', 'cat', '-n', '40', '-u', unit)}`);
  });
}

function mainPid(systemd: Booted, unit: string): Promise<string> {
  return systemd.inside('systemctl', 'show', '-p', 'MainPID', '--value', unit);
}

/** Another process than before, and it has said that it is ready. */
async function startedAgain(systemd: Booted, unit: string, before: string): Promise<void> {
  const until = performance.now() + READY_MS_MAX;
  const ready = async (): Promise<boolean> => {
    const state = (await systemd.inside('systemctl', 'show', '-p', 'ActiveState', '--value', unit)).trim();
    return state === 'active' && (await mainPid(systemd, unit)) !== before;
  };
  while (!(await ready())) {
    must(performance.now() < until, `${unit} is not started again within ${READY_MS_MAX / 1000} s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function confined(systemd: Booted): Promise<void> {
  const users: string[] = [];
  for (const unit of [ENGINE, ENFORCER]) {
    const pid = (await mainPid(systemd, unit)).trim();
    const status = await systemd.inside('cat', `/proc/${pid}/status`);
    const field = (name: string): string => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(status)?.[1] ?? '';
    must(field('NoNewPrivs') === '1' && field('Seccomp') === '2' && /^0+$/.test(field('CapEff') + field('CapBnd')), `${unit}: ${status}`);
    must(/Max core file size\s+0\s+0/.test(await systemd.inside('cat', `/proc/${pid}/limits`)), `${unit} may leave a core`);
    users.push(field('Uid').split('\t')[0] ?? '0');
  }
  must(!users.includes('0') && new Set(users).size === 2, `they run as ${users.join(' and ')}`);
}

async function verify(systemd: Booted, state: string): Promise<void> {
  const args = ['audit', 'verify', '--dir', `${state}/journal`, '--key', `${state}/keys/checkpoint.pub`];
  await systemd.inside('env', 'PATH=/opt/interlock/node/bin:/usr/bin:/bin', COMMAND, ...args);
}
