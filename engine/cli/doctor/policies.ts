import { tool } from '#tools/tools';
import type { LoadedConfig } from '../../config/config.ts';
import { check, type Check } from './check.ts';

/** They compile; whether they also pass the self-test is seen at start. */
export function checkPolicies(config: LoadedConfig): Promise<Check> {
  return check('policies', 'compile', 'Mend the rule that the message names; `interlock policy build` shows the same.', async () => {
    const { buildPolicies } = await import('../../decide/bundle.ts');
    const built = await buildPolicies(config.policies.dir, { data: config.policies.data, opa: () => tool('opa') });
    const { calendarsMissing } = await import('../../worlds.ts');
    const missing = calendarsMissing(built.documents, config);
    if (missing.length > 0) {
      const value = `approval chains ask for ${missing.map((name) => `oncall:${name}`).join(', ')}, which approvals.sources.oncall does not have`;
      return { ok: false, value };
    }
    const { revision, packages } = built;
    return { ok: true, value: `${packages.length} packages, ${revision.slice(0, 19)}…` };
  });
}
