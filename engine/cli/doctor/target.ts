/** A target from the gateway's side: reached, TLS, credential, version, clock: with the same code that serves sessions. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { leased } from '#enforcers/common/leased';
import { openOwnClient } from '#enforcers/postgres/own-client';
import type { Upstream as Reached } from '#enforcers/postgres/target';
import { openTarget } from '#enforcers/postgres/upstream';
import { InterlockError } from '#schemas/errors';
import type { LoadedConfig, TargetConfig } from '../../config/config.ts';
import type { Upstream } from '../../config/upstream.ts';
import { openLeasing, type Leasing } from '../../leasing.ts';
import { MAJORS } from '../majors.ts';
import { check, type Check } from './check.ts';
import { checkService } from './service.ts';

const SKEW_S_MAX = 5;

export async function checkTarget(config: LoadedConfig, target: TargetConfig): Promise<readonly Check[]> {
  const leasing = openLeasing({
    live: { config, restart: [] },
    clock: systemClock,
    ids: new Ids(systemClock),
    log: { ...silentLog, hide: () => {}, forget: () => {} },
  });
  try {
    if (target.protocol === 'postgresql') return await examine(target, leasing);
    const checks: Check[] = [];
    for await (const one of checkService(config, target, leasing)) checks.push(one);
    return checks;
  } finally {
    await leasing.close();
  }
}

async function examine(target: TargetConfig, leasing: Leasing): Promise<readonly Check[]> {
  const id = `target.${target.name}`;
  let upstream: Upstream | null = null;
  const reference = await check(`${id}.reference`, 'readable', 'Set what the reference names.', async () => {
    upstream = await leasing.upstream(target);
    return { ok: true, value: `${upstream.host}:${upstream.port}, databases ${upstream.databases.join(', ')}` };
  });
  if (upstream === null) return [reference];
  const reached = await reach(id, upstream);
  if (!reached.every(({ ok }) => ok)) return [reference, ...reached];
  return [reference, ...reached, ...(await signIn(target.name, upstream, leasing))];
}

async function reach(id: string, upstream: Upstream): Promise<readonly Check[]> {
  const where = `${upstream.host}:${upstream.port}`;
  const open = async (settings: Reached, value: string): Promise<{ readonly ok: true; readonly value: string }> => {
    (await openTarget(settings)).destroy();
    return { ok: true, value };
  };
  const settings = await enforcerSettings(upstream);
  const plain = await check(`${id}.reachable`, 'accepts connections', 'Check address, firewall and whether the server runs.', () =>
    open({ ...settings, tls: { mode: 'off' } }, where),
  );
  if (!plain.ok) return [plain];
  if (upstream.tls.mode === 'off')
    return [plain, { id: `${id}.tls`, ok: true, value: 'off (local)', expected: 'verify-full, or off on this machine', remedy: '' }];
  const tls = await check(`${id}.tls`, 'verify-full', 'The certificate must name the host and be issued by `upstream.tls.ca` (or sslrootcert).', () =>
    open(settings, 'verify-full'),
  );
  return [plain, tls];
}

async function signIn(target: string, upstream: Upstream, { desk }: Leasing): Promise<readonly Check[]> {
  const id = `target.${target}`;
  const read: string[] = [];
  const credential = await check(
    `${id}.credential`,
    'accepted',
    'Check user and password, and that pg_hba.conf lets this machine in with scram-sha-256.',
    async () => {
      const lease = await leased(desk, target);
      const client = await openOwnClient(await enforcerSettings(upstream), lease, upstream.databases[0] ?? '');
      try {
        const [row = []] = await client.query(
          "SELECT pg_catalog.current_setting('server_version_num'), CAST(extract(epoch FROM pg_catalog.clock_timestamp()) AS pg_catalog.text)",
        );
        read.push(...row.map(String));
      } finally {
        client.close();
      }
      return { ok: true, value: `${lease.user} in ${upstream.databases[0] ?? ''}` };
    },
  );
  if (!credential.ok) return [credential];
  const major = Math.floor(Number(read[0]) / 10000);
  const skew = Math.abs(Number(read[1]) - Date.now() / 1000);
  return [
    credential,
    await check(`${id}.version`, `PostgreSQL ${MAJORS.join(' or ')}`, 'This version of the server is not supported yet.', () => ({
      ok: MAJORS.includes(String(major)),
      value: String(major),
    })),
    await check(`${id}.clock`, `within ${SKEW_S_MAX} s of ours`, 'Mend the time service of both machines: approvals expire by the clock.', () => ({
      ok: skew <= SKEW_S_MAX,
      value: `${skew.toFixed(1)} s apart`,
    })),
  ];
}

async function enforcerSettings({ host, port, databases, tls }: Upstream): Promise<Reached> {
  if (tls.mode === 'off') return { host, port, databases, tls };
  try {
    return { host, port, databases, tls: { mode: 'verify-full', ...(tls.caFile === null ? {} : { ca: await readFile(tls.caFile, 'utf8') }) } };
  } catch (error) {
    throw new InterlockError('CONFIG_INVALID', `${tls.caFile ?? ''}: cannot be read`, { cause: error });
  }
}
