/** What npm reads of the published package, and what Node reads of its code. */

export interface Checkout {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}

export const PACKAGE_NAME = 'interlock-gateway';

/**
 * Every dependency is in the tarball, as package-lock.json pins it: what was tested is what runs, and installing needs no registry.
 * (Two of them npm could not install at all: the parsers are aliases of one name, and their types are resolved by an override that
 * reaches no consumer.)
 */
export function manifest({ version, description, license, engines, dependencies }: Checkout): object {
  return {
    name: PACKAGE_NAME,
    version,
    description,
    license,
    type: 'module',
    engines,
    os: ['linux', 'darwin'],
    cpu: ['x64', 'arm64'],
    bin: { interlock: 'bin/interlock.js' },
    files: ['bin', 'dist', 'deploy', 'doc', 'NOTICE'],
    dependencies,
    bundleDependencies: Object.keys(dependencies),
  };
}

/** The nearest package.json rules `#…` imports: here they lead to what was compiled. */
export function codeManifest({ version, imports }: Checkout): object {
  const compiled = Object.entries(imports)
    .filter(([name]) => name !== '#test/*')
    .map(([name, path]) => [name, path.replace(/\.ts$/, '.js')]);
  return { name: PACKAGE_NAME, version, private: true, type: 'module', imports: Object.fromEntries(compiled) };
}

/** Plain JavaScript for any Node: an older one gets a sentence instead of a syntax error. */
export function command({ engines }: Checkout): string {
  const wanted = /(\d+)\.(\d+)/.exec(engines['node'] ?? '');
  return `#!/usr/bin/env node
const [major, minor] = process.versions.node.split('.').map(Number);
if (major > ${wanted?.[1]} || (major === ${wanted?.[1]} && minor >= ${wanted?.[2]})) {
  await import('../dist/engine/cli/main.js');
} else {
  process.stderr.write('interlock: needs Node >= ${wanted?.[0]}; this is ' + process.versions.node + '\\n');
  process.exitCode = 70;
}
`;
}
