/** What npm reads of the published package, and what Node reads of its code. */

export interface Checkout {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  readonly engines: Readonly<Record<string, string>>;
  readonly imports: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

/** Programs of a checkout for one kind of machine: Node itself, and PostgreSQL for the tests. */
const PROGRAMS = /^(node|pg-server)-/;

/** What the product imports, whether it could do without or not. */
export function shipped({ dependencies, optionalDependencies }: Checkout): Readonly<Record<string, string>> {
  const all = Object.entries({ ...dependencies, ...optionalDependencies });
  return Object.fromEntries(all.filter(([name]) => !PROGRAMS.test(name)).sort(([a], [b]) => (a < b ? -1 : 1)));
}

export const PACKAGE_NAME = 'interlock-gateway';

/**
 * Every dependency is in the tarball, as package-lock.json pins it: what was tested is what runs, and installing needs no registry.
 * (Two of them npm could not install at all: the parsers are aliases of one name, and their types are resolved by an override that
 * reaches no consumer.)
 */
export function manifest(checkout: Checkout): object {
  const { version, description, license, engines } = checkout;
  const dependencies = shipped(checkout);
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

/** For a container's HEALTHCHECK, which has no shell and no curl: 0 when one of the addresses answers 200. */
export function healthCommand(): string {
  return `#!/usr/bin/env node
const named = process.env.INTERLOCK_HEALTH_URL;
const urls = named ? [named] : ['http://127.0.0.1:8400/healthz', 'http://127.0.0.1:8401/healthz'];
const answers = urls.map(async (url) => {
  if (!(await fetch(url, { signal: AbortSignal.timeout(2500) })).ok) throw new Error(url);
});
await Promise.any(answers).catch(() => (process.exitCode = 1));
`;
}
