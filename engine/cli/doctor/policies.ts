import { tool } from '#tools/tools';
import type { LoadedConfig } from '../../config/config.ts';
import { systemClock } from '#client/clock';
import type { CompiledPolicies } from '../../decide/bundle.ts';
import { check, type Check } from './check.ts';

/** They compile; whether they also pass the self-test is seen at start. */
export function checkPolicies(config: LoadedConfig): Promise<Check> {
  return check('policies', 'compile', 'Mend the rule that the message names; `interlock policy build` shows the same.', async () => {
    const built = config.policies.bundle === null ? await compiled(config) : await bundled(config, config.policies.bundle);
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

async function compiled({ policies }: LoadedConfig): Promise<CompiledPolicies> {
  const { buildPolicies } = await import('../../decide/bundle.ts');
  return await buildPolicies(policies.dir, { data: policies.data, opa: () => tool('opa') });
}

async function bundled({ policies }: LoadedConfig, file: string): Promise<CompiledPolicies> {
  const [{ readBundle }, { verifyBundle }, { loadTrustedKey }, { unpackPolicies }] = await Promise.all([
    import('../../policies.ts'),
    import('../../bundles/verify.ts'),
    import('../../bundles/keys.ts'),
    import('../../decide/packed.ts'),
  ]);
  const trusted = policies.signing.trusted.map((key) => loadTrustedKey(key));
  const { files, manifest } = await verifyBundle(await readBundle(file), { trusted, nowUs: systemClock.wallUs() });
  return unpackPolicies(files, manifest).compiled;
}
