/** `interlock policy key` and `policy verify`, and what `policy build --sign` does beside building. */
import type { Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import { systemClock, timestamp } from '#client/clock';
import { durationMs } from '../../config/units.ts';
import type { FreshPolicies } from '../../decide/bundle.ts';
import { described, list, runs, type Common } from '../command.ts';
import { escapeText } from '../escape.ts';
import type { Output } from '../output.ts';

/** How a bundle was signed, as `--json` tells it. */
export interface SignedAs {
  readonly number: number;
  readonly expires: string;
  readonly signed_by: readonly string[];
}

export interface SignAsked {
  readonly keys: readonly string[];
  readonly number: number;
  readonly validMs: number;
}

/** null: not asked for. @throws InterlockError USAGE */
export function signOptions({ sign, number, valid }: { sign?: readonly string[]; number?: string; valid?: string }): SignAsked | null {
  if (sign === undefined) {
    if (number !== undefined) throw new InterlockError('USAGE', '--number numbers what is signed: name a key with --sign');
    return null;
  }
  const numbered = number === undefined ? Math.floor(systemClock.wallUs() / 1000) : Number(number);
  if (!Number.isSafeInteger(numbered) || numbered < 1) throw new InterlockError('USAGE', '--number: found no number; allowed: 1, 2, 3 …');
  if (!/^[0-9]{1,9}(ms|s|m|h|d)$/.test(valid ?? '')) throw new InterlockError('USAGE', '--valid: allowed is a duration with its unit, such as `30d`');
  return { keys: sign, number: numbered, validMs: durationMs(valid ?? '') };
}

export async function signedPolicies(built: FreshPolicies, asked: SignAsked): Promise<{ readonly bytes: Uint8Array; readonly as: SignedAs }> {
  const [{ loadSigningKey }, { signBundle }, { packPolicies }] = await Promise.all([
    import('../../bundles/keys.ts'),
    import('../../bundles/sign.ts'),
    import('../../decide/packed.ts'),
  ]);
  const keys = asked.keys.map((file) => loadSigningKey(file));
  const madeAtUs = systemClock.wallUs();
  const expiresUs = madeAtUs + asked.validMs * 1000;
  const { revision, build } = built;
  const { bytes } = signBundle({ revision, build, files: packPolicies(built) }, { number: asked.number, madeAtUs, expiresUs, keys });
  return { bytes, as: { number: asked.number, expires: timestamp(expiresUs), signed_by: keys.map(({ id }) => id) } };
}

interface VerifyOptions extends Common {
  readonly key?: readonly string[];
}

export function policyVerifyCommand(): Command {
  return described({
    name: 'verify',
    summary: 'whether a signed bundle is what one of these keys signed, whole, in time and metered; exit 1 when not',
    examples: [['interlock policy verify policies.bundle --key bundles.key.pub', 'what an enforcer would say of it, but for its age']],
  })
    .argument('<file>', 'a signed bundle')
    .requiredOption('--key <file>', 'a public key that is trusted; may be repeated', list)
    .action(runs(verify));
}

async function verify(output: Output, { key = [] }: VerifyOptions, [file = '']: readonly string[]): Promise<number> {
  const [{ loadTrustedKey }, { verifyBundle }, { unpackPolicies }, { readBundle }] = await Promise.all([
    import('../../bundles/keys.ts'),
    import('../../bundles/verify.ts'),
    import('../../decide/packed.ts'),
    import('../../policies.ts'),
  ]);
  const trusted = key.map((path) => loadTrustedKey(path));
  const bytes = await readBundle(file);
  try {
    const { manifest, files, keyId } = await verifyBundle(bytes, { trusted, nowUs: systemClock.wallUs() });
    const packages = unpackPolicies(files, manifest).compiled.packages.map(({ name }) => name);
    const { revision, number, build, made_at, expires } = manifest;
    output.document({ verified: true, revision, number, build, made_at, expires, signed_by: keyId, files: files.size, packages }, () => [
      `verified: ${revision}`,
      `  number ${number}, signed by ${keyId}, made ${made_at}, expires ${expires}`,
      ...packages.map((name) => `  ${escapeText(name)}`),
    ]);
    return EXIT.ok;
  } catch (error) {
    if (!(error instanceof InterlockError)) throw error;
    const { code, message } = error;
    output.document({ verified: false, code, detail: message }, () => [`NOT verified: ${escapeText(message)} (${code})`]);
    return EXIT.no;
  }
}

interface KeyOptions extends Common {
  readonly output?: string;
}

export function policyKeyCommand(): Command {
  return described({
    name: 'key',
    summary: 'makes a key that bundles are signed with; the public half stands beside it (.pub)',
    examples: [['interlock policy key -o bundles.key', 'bundles.key signs; bundles.key.pub goes into `policies.signing.trusted`']],
  })
    .requiredOption('-o, --output <file>', 'where the private key goes; never over an old one')
    .action(runs(makeKey));
}

async function makeKey(output: Output, { output: file = '' }: KeyOptions): Promise<number> {
  const { makeSigningKey } = await import('../../bundles/keys.ts');
  const { id } = makeSigningKey(file);
  output.document({ key: file, public_key: `${file}.pub`, key_id: id }, () => [
    `key ${id}`,
    `  private ${escapeText(file)}: signs bundles; keep it where policies are built`,
    `  public  ${escapeText(file)}.pub: for policies.signing.trusted`,
  ]);
  return EXIT.ok;
}
