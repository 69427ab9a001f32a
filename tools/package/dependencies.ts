/** What of package-lock.json runs in the published package, and what is compiled into its console. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './root.ts';

interface Locked {
  readonly version?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}
type Lock = Readonly<Record<string, Locked>>;

/** Folders below the checkout, sorted: `node_modules/x`, `node_modules/x/node_modules/y`. */
export interface Dependencies {
  /** With everything that these need. */
  readonly running: readonly string[];
  readonly console: readonly string[];
}

/** @param direct names of what the package's own code imports @throws Error when the lock file lacks something that is needed */
export function dependencies(direct: readonly string[]): Dependencies {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Lock };
  // whoever compiles a console with types needs types; nobody runs them
  const compiled = closure(packages, 'engine/console', Object.keys(packages['engine/console']?.dependencies ?? {})).filter(
    (folder) => !/\/(@types\/|csstype$)/.test(folder),
  );
  return { running: closure(packages, '', direct), console: compiled };
}

function closure(lock: Lock, from: string, direct: readonly string[]): readonly string[] {
  const found = new Set<string>();
  const take = (folder: string | null, missing: string | null): void => {
    if (folder === null && missing !== null) throw new Error(`package-lock.json: ${missing}, which is not locked`);
    if (folder === null || found.has(folder)) return;
    found.add(folder);
    const { dependencies: needed = {}, peerDependencies: besides = {} } = lock[folder] ?? {};
    for (const name of Object.keys(needed)) take(resolve(lock, folder, name), `${folder} needs ${name}`);
    for (const name of Object.keys(besides)) take(resolve(lock, folder, name), null); // an optional one may be missing
  };
  for (const name of direct) take(resolve(lock, from, name), `the project needs ${name}`);
  return [...found].sort();
}

/** As Node looks: beside, then one folder up. */
function resolve(lock: Lock, from: string, name: string): string | null {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const folder = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (lock[folder] !== undefined) return folder;
    if (at === '') return null;
  }
}
