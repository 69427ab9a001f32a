/**
 * Before a revision comes into force, one canary is sent through every control (issue 3, "Shipped policies"): through the engine's own, which
 * hold under any policy, and through those of the packs, the cases marked `canary: true`. One that is not refused keeps the revision out.
 */
import type { Catalog } from '#schemas/catalog';
import { type ErrorCode, InterlockError } from '#schemas/errors';
import { combine } from './combine.ts';
import type { DryRunInput, DryRunResult } from './dry-run.ts';
import type { PolicyPackage } from './packages.ts';
import type { PackageAnswer } from './policy-result.ts';
import { canaryDifference, inputOfCase, readStatementCases } from './statement-cases.ts';

/** A revision that is built and not in force yet. */
export interface Candidate {
  /** Judges by this revision. */
  readonly judge: (input: DryRunInput) => Promise<DryRunResult>;
  readonly packages: readonly PolicyPackage[];
  readonly masksPossible: boolean;
  /** Files of statement cases: name → text. */
  readonly cases: ReadonlyMap<string, string>;
}

/** @throws InterlockError POLICY_SELF_TEST that names the canary, what was expected and what came; POLICY_BUILD for a file of cases that is none */
export async function selfTest(candidate: Candidate): Promise<void> {
  combinerCanaries();
  for (const canary of ENGINE_CANARIES) if (candidate.masksPossible || canary.masksOnly !== true) await engineCanary(canary, candidate);
  for (const [file, text] of candidate.cases) {
    // a package in shadow has no effect that could be seen
    if (!candidate.packages.some(({ name, shadow }) => shadow && name === packageOf(file))) await packCanaries(file, text, candidate);
  }
}

interface EngineCanary {
  readonly control: string;
  readonly asked: Partial<DryRunInput> & { readonly statement: string };
  readonly code: ErrorCode;
  readonly masksOnly?: boolean;
}

const NOBODY: DryRunInput['subject'] = { type: 'user', id: 'interlock|canary', properties: { login: 'canary', groups: [] } };
const NOWHERE: DryRunInput['resource'] = { type: 'postgresql', id: 'canary', properties: { env: 'canary', labels: {} } };
const EMPTY_CATALOG: Catalog = { database: '', serverMajor: 0, fingerprint: 'canary', cluster: 'canary', relations: [], systemRelations: [] };
/** Deeper than any person nests, short enough to be parsed in this thread. */
const NESTED = `SELECT ${'NOT '.repeat(600)}true`;

/** What no policy can allow. */
const ENGINE_CANARIES: readonly EngineCanary[] = [
  { control: 'text with NUL', asked: { statement: 'SELECT \0 1' }, code: 'ENCODING' },
  { control: 'text that is no SQL', asked: { statement: 'SELEKT 1' }, code: 'UNPARSED' },
  { control: 'text beyond the budget of parsing', asked: { statement: NESTED }, code: 'BUDGET_PARSE' },
  {
    control: 'a setting that changes how text is read',
    asked: { statement: 'SELECT 1', settings: { standard_conforming_strings: 'off' } },
    code: 'ENCODING',
  },
  {
    control: 'a server whose grammar is not here',
    asked: { statement: 'SELECT 1', resource: { ...NOWHERE, properties: { ...NOWHERE.properties, server_version: '9.6' } } },
    code: 'PARSER_UNAVAILABLE',
  },
  {
    control: 'a relation that the catalog does not have, where columns are masked',
    asked: { statement: 'SELECT * FROM canary.canary', catalog: EMPTY_CATALOG },
    code: 'MASK_RELATION_UNKNOWN',
    masksOnly: true,
  },
];

async function engineCanary({ control, code, asked }: EngineCanary, { judge }: Candidate): Promise<void> {
  const { decision } = await judge({ subject: NOBODY, resource: NOWHERE, action: 'sql.execute', ...asked });
  const [reason] = decision.reasons;
  if (decision.effect === 'deny' && decision.reasons.length === 1 && reason?.code === code && reason.policy === 'interlock') return;
  throw failed(`engine canary "${control}": expected deny ${code}; found ${told(decision)}`);
}

/** Whatever policies answer: silence denies, a denial beats everything, an obligation that cannot be fulfilled refuses. */
function combinerCanaries(): void {
  const silent: PackageAnswer = { policy: 'canary', shadow: false, allow: [], deny: [], require_approval: [], mask: [], obligation: [] };
  const yes = { code: 'YES', reason: 'canary' };
  const controls: readonly (readonly [control: string, answer: PackageAnswer, code: string])[] = [
    ['no policy allows it', silent, 'DEFAULT_DENY'],
    ['a package in shadow allows nothing', { ...silent, shadow: true, allow: [yes] }, 'DEFAULT_DENY'],
    ['a denial beats what allows', { ...silent, allow: [yes], deny: [{ code: 'NO', reason: 'canary' }] }, 'NO'],
    ['an obligation that cannot be fulfilled', { ...silent, allow: [yes], obligation: [{ type: 'read_only' }] }, 'OBLIGATION_UNSUPPORTED'],
  ];
  for (const [control, answer, code] of controls) {
    const { judgement } = combine([answer], { revision: '', supportedObligations: [] });
    if (judgement.effect !== 'deny' || judgement.reasons[0]?.code !== code)
      throw failed(`engine canary "${control}": expected deny ${code}; found ${told(judgement)}`);
  }
}

async function packCanaries(file: string, text: string, { judge }: Candidate): Promise<void> {
  for (const entry of readStatementCases(file, text)) {
    if (entry.canary !== true) continue;
    const { decision } = await judge(inputOfCase(entry));
    const difference = canaryDifference(entry.expect, decision);
    if (difference !== null) throw failed(`${file}: canary "${entry.name}": ${difference}`);
  }
}

/** `postgres/guardrails/cases.yaml` is of the package postgres.guardrails. */
function packageOf(file: string): string {
  return file.split('/').slice(0, -1).join('.');
}

function told({ effect, reasons }: { readonly effect: string; readonly reasons: readonly { readonly code: string }[] }): string {
  return [effect, ...reasons.map(({ code }) => code)].join(' ');
}

function failed(message: string): InterlockError {
  return new InterlockError('POLICY_SELF_TEST', message);
}
