/** NOTICE: whose work the package contains, and under which terms. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { licencesOf, licenceTexts } from '../opa-wasi.ts';
import type { Dependencies } from './dependencies.ts';
import { root } from './root.ts';

/** @param opa path of OPA's module */
export async function notice({ running, console: compiled }: Dependencies, opa: string): Promise<string> {
  const packages = await Promise.all([...new Set([...running, ...compiled])].sort().map((folder) => entry(folder)));
  return `Interlock
Licensed under the Apache License, Version 2.0 (see LICENSE).

This package contains the work of others. Packages from npm are in node_modules, unchanged but for what never runs (type declarations,
source maps, tests, documentation), which is left out; those of the console (React and what it needs) are compiled into dist/engine/console/dist. dist/tools/carried/opa.wasm.gz is the
compiler of the Open Policy Agent, with the Go modules that it needs.

${packages.join('\n')}
${readFileSync(licencesOf(opa), 'utf8')}`;
}

async function entry(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Record<string, string>;
  const terms = await licenceTexts(join(root, folder)).catch(() => `Licence: ${license ?? 'unknown'} (the package brings no text)\n`);
  return `${'='.repeat(80)}\n${name} ${version} (${license ?? 'unknown'})\n\n${terms}`;
}
