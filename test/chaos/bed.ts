/** What all rounds share: a real PostgreSQL behind a byte relay, a configuration, tokens. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway } from '#test/support/gateway';
import type { PostgresServer } from '#test/support/postgres';
import type { Relay } from '#test/support/relay';
import { startTarget } from './target.ts';

export interface TestBed extends AsyncDisposable {
  readonly dir: string;
  /** With the keys of every round's gateway. */
  readonly stateDir: string;
  readonly server: PostgresServer;
  readonly relay: Relay;
  readonly requester: string;
  /** A verdict needs a token at most an hour old (A4), and many rounds take longer: one that is young enough. */
  reviewer(): Promise<string>;
  /** Resolves when the next statement reaches the relay. */
  nextStatement(): Promise<void>;
  /** Writes a configuration with the journal in this folder; returns the file. */
  configure(journalDir: string): string;
}

interface Minted {
  readonly token: string;
  readonly atMs: number;
}

const YOUNG_MS = 1_800_000;
const SEGMENT = '1MiB';
const policies = fileURLToPath(new URL('./policies', import.meta.url));

export async function openTestBed(): Promise<TestBed> {
  const stack = new AsyncDisposableStack();
  const dir = mkdtempSync(join(tmpdir(), 'interlock-chaos-'));
  stack.defer(() => rmSync(dir, { recursive: true, force: true }));
  const { server, relay, upstream, nextStatement } = await startTarget(stack);
  const config = (journalDir: string): object => ({ journal: { dir: journalDir, segment: SEGMENT } });
  // the published command once, for the keys and the tokens: they serve all rounds
  const first = await startGateway({ upstream, dir, policies: { dir: policies }, config: config(join(dir, 'journal-of-tokens')) });
  const requester = await first.token({ login: 'alice', groups: ['clients'], ttl: '8h' });
  const mint = async (): Promise<Minted> => ({
    token: await first.token({ login: 'bob', groups: ['reviewers'], scope: 'approve', ttl: '1h' }),
    atMs: performance.now(),
  });
  let minted = await mint();
  await first.stop();
  const written = JSON.parse(readFileSync(first.configFile, 'utf8')) as object;
  return {
    dir,
    stateDir: join(dir, 'state'),
    server,
    relay,
    requester,
    reviewer: async () => {
      if (performance.now() - minted.atMs > YOUNG_MS) minted = await mint();
      return minted.token;
    },
    nextStatement,
    configure(journalDir) {
      const file = join(dir, 'interlock.yaml');
      writeFileSync(file, JSON.stringify({ ...written, ...config(journalDir) }, null, 2));
      return file;
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
