/** Section `policies`, resolved and checked. */
import { join } from 'node:path';
import type { Policies } from '#schemas/config-policies';
import type { PoliciesConfig } from './config.ts';
import type { Findings } from './places.ts';
import type { Absolute } from './secret-source.ts';
import { durationMs } from './units.ts';

const VALID_MS_MIN = 24 * 3_600_000;

export function resolvePolicies(raw: Policies | undefined, stateDir: string, absolute: Absolute): PoliciesConfig {
  const maxAgeMs = durationMs(raw?.max_age ?? '24h');
  const { key_file: keyFile, valid, trusted = [] } = raw?.signing ?? {};
  return {
    dir: absolute(raw?.source.dir ?? '.'),
    bundle: raw?.source.bundle === undefined ? null : absolute(raw.source.bundle),
    data: (raw?.data ?? []).map(absolute),
    watch: raw?.watch ?? true,
    maxAgeMs,
    signing: {
      keyFile: keyFile === undefined ? join(stateDir, 'keys', 'bundles') : absolute(keyFile),
      validMs: valid === undefined ? Math.max(maxAgeMs, VALID_MS_MIN) : durationMs(valid),
      trusted: trusted.map(absolute),
    },
  };
}

export function checkPolicies(raw: Policies | undefined, findings: Findings): void {
  for (const kind of ['git', 'https'] as const)
    if (raw?.source[kind] !== undefined)
      findings.addAt(`policies.source.${kind}`, `\`${kind}\` is not supported yet; use \`dir: PATH\` or \`bundle: PATH\``);
  if (raw?.source.bundle === undefined) return;
  if (raw.signing?.trusted === undefined)
    findings.addAt('policies.source.bundle', 'is taken with a signature only: name the public keys in `policies.signing.trusted`');
  if (raw.data !== undefined) findings.addAt('policies.data', 'stands beside `source.bundle`, which holds its data; allowed: leave it out');
}
