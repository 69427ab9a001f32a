/** The judging half of the composition: facts, masks and policies, for a gateway and for the commands that need none (`decide`, `doctor`). */
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import type { Clock } from '#client/clock';
import type { Ids } from '#client/ids';
import type { EventDraft } from '#client/journal';
import type { Log } from '#client/log';
import { tool } from '#tools/tools';
import type { LoadedConfig } from './config/config.ts';
import type { FreshPolicies } from './decide/bundle.ts';
import { FolderSource, type PolicySource } from './decide/policy-source.ts';
import { selfTest } from './decide/self-test.ts';
import { openDecisionService, type LocalDecisionService } from './decide/service.ts';
import { PostgresMaskRewriter } from './facts/postgres/mask/rewriter.ts';
import { PARSER_MAJORS, Parser } from './facts/postgres/parser.ts';
import { paramsThatFlowToCode, PostgresFacts } from './facts/postgres/reader.ts';
import { readFactsOf } from './facts/readers.ts';
import { LOCAL_ISSUER, openLocalIssuer, type LocalIssuer } from './identity/local-issuer.ts';
import { BundleFileSource, trustedIn } from './policies.ts';

export interface JudgingOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Where `policy.activated` and `policy.rejected` go. */
  record(event: Extract<EventDraft, { type: 'policy.activated' | 'policy.rejected' }>): void;
  /** Commands that judge once do not watch. */
  readonly watch?: boolean;
  /** Where revisions come from; absent: the folder of the configuration, compiled here. */
  readonly source?: PolicySource;
  /** Of the folder alone: what passed its self-test goes there before it comes into force (signed for enforcers). */
  readonly publish?: (policies: FreshPolicies) => Promise<void>;
}

/** @throws InterlockError POLICY_BUILD, POLICY_BUILTIN, POLICY_SELF_TEST, TOOL_MISSING */
export async function openJudging(config: LoadedConfig, options: JudgingOptions): Promise<LocalDecisionService & AsyncDisposable> {
  const { log, clock, ids } = options;
  keepWasmAtBaseline();
  keepHeapSmall();
  const parsers = await Promise.all(PARSER_MAJORS.map((major) => Parser.open(major)));
  const facts = new PostgresFacts({ majors: PARSER_MAJORS, parsers });
  const masks = new PostgresMaskRewriter(parsers);
  const { dir, data, watch, maxAgeMs } = config.policies;
  let opened: LocalDecisionService | null = null;
  try {
    // a gateway warms its workers up: the first long text must not pay for their start out of its deadline
    if (options.watch !== false) await facts.ready();
    const service = (opened = await openDecisionService({
      policies: { dir, data, watch, maxAgeMs },
      source: options.source ?? sourceOf(config, options),
      facts: { read: readFactsOf(facts, (target) => opened?.catalogOf(target) ?? null), paramsThatFlowToCode },
      masks,
      clock,
      ids,
      log,
      record: (event) => options.record(event),
      opa: () => tool('opa'),
      selfTest,
    }));
    const close = async (): Promise<void> => {
      service.close();
      await masks.close();
      await facts.close();
    };
    return Object.assign(service, { [Symbol.asyncDispose]: close });
  } catch (error) {
    await masks.close();
    await facts.close();
    throw error;
  }
}

/** What the configuration names, for a gateway in one process and for commands. */
function sourceOf({ policies, stateDir }: LoadedConfig, { watch, publish, clock }: JudgingOptions): PolicySource {
  const { bundle, dir, data, signing } = policies;
  const watching = watch ?? policies.watch;
  if (bundle === null) return new FolderSource({ dir, data, watch: watching }, () => tool('opa'), publish ?? null);
  return new BundleFileSource(bundle, watching, { stateDir, trusted: trustedIn(signing.trusted), clock, readOnly: watch === false });
}

/** V8's optimising compiler takes half a gigabyte, for seconds, for one function of PostgreSQL's grammar, and what it makes is not faster (ADR 0006). */
function keepWasmAtBaseline(): void {
  setFlagsFromString('--no-wasm-dynamic-tiering');
  setFlagsFromString('--no-wasm-tier-up');
}

/**
 * On a large machine V8 lets garbage that outlived two young collections pile up to several times what lives (90 MB over a million statements),
 * and the young generation grow to 120 MB; neither makes it faster here.
 */
function keepHeapSmall(): void {
  setFlagsFromString('--heap-growing-percent=30');
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** The issuer of the embedded default; its key stays in the state directory, and whoever can read that can make tokens. */
export async function openTheLocalIssuer(config: LoadedConfig, clock: Clock): Promise<LocalIssuer> {
  return openLocalIssuer({ dir: join(config.stateDir, 'issuer'), ...LOCAL_ISSUER, clock });
}
