/** What cases are sent to: the gateway with the corpus profile, or, to see that the runner can fail, the bare server. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { roomInMemory } from '#test/support/memory';
import { mint } from '#test/support/minted';
import { type Shape, shapeAsked, startShape } from '#test/support/shapes';
import type { Address } from './wire.ts';

export const PROFILE = fileURLToPath(new URL('./interlock.yaml', import.meta.url));
const LOGIN = 'corpus';

export type Group = 'app' | 'app-readonly';

export interface Subject extends AsyncDisposable {
  readonly revision: string | null;
  /** Where a member of the group connects to. */
  address(group: Group): Promise<Address>;
  /** A reviewer of this group approves what is open and has this in its text; answers how much that was. */
  approve(group: string, text: string): Promise<number>;
  log(): string;
}

/** The server itself, through the relay. */
export function direct(upstream: Address): Subject {
  return {
    revision: null,
    address: () => Promise.resolve(upstream),
    approve: () => Promise.resolve(0),
    log: () => '',
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** A gateway in one process, or apart in several, on a copy of the profile whose state is temporary. */
export async function interlock(configFile: string, upstream: Address, shape: Shape = shapeAsked()): Promise<Subject> {
  const dir = mkdtempSync(join(roomInMemory(), 'interlock-corpus-gateway-'));
  const { host, port, user, password, database } = upstream;
  const url = `postgresql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  const env = { ...process.env, INTERLOCK_TEST_PG_URL: url };
  const { ready, front, engine, configFile: config, end } = await startShape(shape, moved(configFile, dir), dir, env);
  const [at = '', atPort = ''] = (Object.values(ready.targets)[0]?.address ?? '').split(':');
  const tokens = new Map<Group, Promise<string>>();
  const reviewers = new Map<string, Promise<string>>();
  return {
    revision: ready.revision,
    log: () => `${front.log()}${engine?.running.log() ?? ''}`,
    async address(group) {
      let held = tokens.get(group);
      if (!held) tokens.set(group, (held = mint(config, { login: LOGIN, groups: [group], ttl: '6h' })));
      return { host: at, port: Number(atPort), user: LOGIN, password: await held, database };
    },
    async approve(group, text) {
      const held = reviewers.get(group) ?? mint(config, { login: 'reviewer', groups: [group], scope: 'approve' });
      reviewers.set(group, held);
      const headers = { authorization: `Bearer ${await held}`, 'content-type': 'application/json' };
      const call = async (path: string, body?: object): Promise<unknown> => {
        const given = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
        const response = await fetch(new URL(path, ready.api), { headers, ...given });
        if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
        return response.json();
      };
      const open = ((await call('/v1/approvals')) as { approval_id: string; state: string; payload_text: string }[]).filter(
        (view) => view.state === 'open' && view.payload_text.includes(text),
      );
      for (const { approval_id } of open) await call(`/v1/approvals/${approval_id}/verdict`, { outcome: 'approve' });
      return open.length;
    },
    async [Symbol.asyncDispose]() {
      await end('SIGTERM');
      rmSync(dir, { recursive: true, force: true });
    },
  };
}

interface Profile {
  state?: { dir?: string };
  journal?: { dir?: string };
  policies?: { source?: { dir?: string }; data?: string[] };
}

/** The profile with absolute paths, and its state in `dir`. */
function moved(configFile: string, dir: string): Profile {
  const profile = parse(readFileSync(configFile, 'utf8')) as Profile;
  const from = (path: string): string => resolve(dirname(configFile), path);
  return {
    ...profile,
    state: { dir: join(dir, 'state') },
    journal: { ...profile.journal, dir: join(dir, 'journal') },
    policies: {
      ...profile.policies,
      ...(profile.policies?.source?.dir === undefined ? {} : { source: { dir: from(profile.policies.source.dir) } }),
      data: (profile.policies?.data ?? []).map(from),
    },
  };
}
