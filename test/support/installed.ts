/** The published package, installed by npm into an empty folder: what somebody has who never saw a checkout. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { packageTarball } from '#tools/package';

const run = promisify(execFile);

export interface Installed extends Disposable {
  /** The empty folder that it was installed into. */
  readonly dir: string;
  /** `node_modules/.bin/interlock` */
  readonly command: string;
  /** PATH with Node alone: no Go, no opa, no checkout. */
  readonly path: string;
  /** Never throws for an exit code. */
  interlock(args: readonly string[], more?: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv }): Promise<Answer>;
}
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** @throws Error with npm's output */
export async function installPackage(): Promise<Installed> {
  const tarball = await packageTarball();
  const dir = mkdtempSync(join(tmpdir(), 'interlock-installed-'));
  writeFileSync(join(dir, 'package.json'), '{ "private": true }\n');
  // everything is in the tarball: a registry that answers nothing is enough
  await run('npm', ['install', '--registry=http://127.0.0.1:9/', '--no-audit', '--no-fund', '--loglevel=error', tarball], { cwd: dir });
  const command = join(dir, 'node_modules', '.bin', 'interlock');
  const path = dirname(process.execPath);
  return {
    dir,
    command,
    path,
    interlock: async (args, { cwd = dir, env = {} } = {}) => {
      try {
        return { code: 0, ...(await run(command, args, { cwd, env: { HOME: dir, PATH: path, ...env }, maxBuffer: 64 << 20 })) };
      } catch (error) {
        const { code, stdout, stderr } = error as { code?: unknown; stdout?: string; stderr?: string };
        if (typeof code !== 'number') throw error;
        return { code, stdout: stdout ?? '', stderr: stderr ?? '' };
      }
    },
    [Symbol.dispose]: () => rmSync(dir, { recursive: true, force: true }),
  };
}
