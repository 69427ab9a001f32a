/** The parser of those who wrote the format (https://github.com/prometheus/client_python): strict where scrapers are. null: no Python here. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PACKAGE = 'prometheus-client==0.26.0';
const folder = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'node_modules', '.cache', 'openmetrics');

const PROGRAM = `
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families as families
from prometheus_client.parser import text_string_to_metric_families as older
parse = families if sys.argv[1] == 'openmetrics' else older
out = []
for family in parse(sys.stdin.read()):
    out.append({'name': family.name, 'type': family.type, 'unit': family.unit,
                'samples': [{'name': s.name, 'labels': s.labels, 'value': str(s.value)} for s in family.samples]})
print(json.dumps(out))
`;

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly unit: string;
  readonly samples: readonly { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: string }[];
}

export type MetricsParser = (text: string, form: 'openmetrics' | 'plain') => Promise<readonly ParsedFamily[]>;

export async function metricsParser(): Promise<MetricsParser | null> {
  const python = await run('python3', ['--version']).then(
    () => true,
    () => false,
  );
  if (!python) return null;
  if (!existsSync(join(folder, 'prometheus_client'))) {
    await mkdir(folder, { recursive: true });
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--no-deps', '--target', folder, PACKAGE]);
  }
  return async (text, form) => {
    const parsing = run('python3', ['-c', PROGRAM, form], { env: { ...process.env, PYTHONPATH: folder }, maxBuffer: 16 << 20 });
    parsing.child.stdin?.end(text);
    return JSON.parse((await parsing).stdout) as readonly ParsedFamily[];
  };
}
