/** `rego:NAME`: a set of package `approvers`, evaluated in the policies in force, metered like every judgement. What fails names nobody. */
import { Compile } from 'typebox/compile';
import type { Approver } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { CompiledPolicies } from './bundle.ts';
import type { Log } from '#client/log';
import { MACHINE_LIMITS, type MachineLimits, PolicyMachine } from './machine.ts';
import { approversEntrypoint } from './packages.ts';
import type { WasmModule } from './wasm-api.ts';

export type NamedApprover = Exclude<Approver, { ref: string }>;

/** What such a set sees as `input`. */
export interface ApproversInput {
  readonly requester: Subject;
  readonly target: { readonly id: string; readonly env: string | null; readonly labels: Readonly<Record<string, string>> };
  /** As they are bound: `update public.payments`. */
  readonly objects: readonly string[];
  readonly time: string;
}

const name = { type: 'string', minLength: 1, maxLength: 512 } as const;
const single = <K extends string>(key: K): object => ({ type: 'object', additionalProperties: false, required: [key], properties: { [key]: name } });
const check: { Check(value: unknown): boolean } = Compile({ type: 'array', maxItems: 256, items: { anyOf: [single('user'), single('group')] } });
const RESULT_LENGTH_MAX = 256 * 1024;

export class ApproverSets {
  readonly #known: ReadonlySet<string>;
  readonly #machine: PolicyMachine;
  readonly #log: Log;

  constructor(policies: CompiledPolicies, module: WasmModule, options: { readonly log: Log; readonly limits?: MachineLimits }) {
    this.#known = new Set(policies.approverSets.keys());
    this.#machine = new PolicyMachine(module, policies.data, options.limits ?? MACHINE_LIMITS);
    this.#log = options.log;
  }

  /** Every set, on nothing: a builtin that is missing shows when the policies are built. @returns the first that fails, and why */
  selfTest(): string | null {
    for (const set of this.#known) {
      const entrypoint = this.#machine.entrypoints[approversEntrypoint(set)];
      const evaluation = entrypoint === undefined ? null : this.#machine.evaluate(entrypoint, '{}');
      if (!evaluation?.ok) return `approvers.${set} does not answer: ${evaluation?.detail ?? 'it has no entrypoint'}`;
    }
    return null;
  }

  ask(set: string, input: ApproversInput): readonly NamedApprover[] | null {
    const entrypoint = this.#known.has(set) ? this.#machine.entrypoints[approversEntrypoint(set)] : undefined;
    if (entrypoint === undefined) return null;
    const evaluation = this.#machine.evaluate(entrypoint, JSON.stringify(input));
    if (!evaluation.ok) return this.#failed(set, evaluation.detail);
    const found = evaluation.text.length > RESULT_LENGTH_MAX ? undefined : resultOf(evaluation.text);
    return check.Check(found) ? (found as NamedApprover[]) : this.#failed(set, 'it holds something else than {"user": …} and {"group": …}');
  }

  #failed(set: string, detail: string): null {
    this.#log.error({ approvers: set, detail }, 'a set of approvers did not answer: it names nobody');
    return null;
  }
}

/** Exactly one document; `[]` is undefined. */
function resultOf(text: string): unknown {
  const results: unknown = JSON.parse(text);
  return Array.isArray(results) && results.length === 1 ? (results[0] as { result?: unknown }).result : undefined;
}
