/** Runs cases of HTTP, HTTP/2 and GraphQL through a subject before a real upstream; what `npm run corpus` and the test of the corpus share. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Shape } from '#test/support/shapes';
import { reportOf, type CorpusReport, type Judged } from '../report.ts';
import type { HttpCase } from './case.ts';
import { asFetch, mcpVerdict, SPELLINGS, startMcpSubject } from '../mcp/runner.ts';
import { mutants } from './mutate.ts';
import { perform, plainRun, type HttpRun, type HttpSeen } from './run.ts';
import { bare, directly, gateway, type HttpSubject } from './subject.ts';
import { startUpstream, type Upstream } from './upstream.ts';
import { difference, judge, leaksIn, outcomeOf, type HttpVerdict } from './verdict.ts';

export interface HttpCorpusOptions {
  /** A configuration for the gateway; null: no gateway at all, to see the runner fail. */
  readonly config: string | null;
  readonly shape?: Shape;
  readonly only?: RegExp;
  /** Mutants of each run, beside it. */
  readonly mutate: number;
  readonly seed: number;
  readonly onVerdict?: (judged: Judged) => void;
}

export interface HttpCorpusReport extends CorpusReport {
  /** Cases that are not run yet, with the reason; they count nowhere. */
  readonly skipped: readonly { readonly id: string; readonly why: string }[];
}

export async function runHttpCorpus(cases: readonly HttpCase[], options: HttpCorpusOptions): Promise<HttpCorpusReport> {
  await using upstream = await startUpstream();
  await using subject = options.config === null ? bare(upstream) : await gateway(options.config, upstream, options.shape);
  const judged: Judged[] = [];
  const skipped: { id: string; why: string }[] = [];
  const chosen = cases.filter(({ id }) => options.only?.test(id) ?? true);
  const add = ({ intent, tags, protocol }: HttpCase, verdict: HttpVerdict): void => {
    const one = { record: { intent, tags: [...tags], channel: protocol }, verdict };
    judged.push(one);
    options.onVerdict?.(one);
  };
  for (const record of chosen.filter(overHttp)) {
    const why = later(record, subject);
    const plain = why === null ? plainRun(record) : null;
    if (plain === null) skipped.push({ id: record.id, why: why ?? 'not run over HTTP' });
    else for (const run of [plain, ...mutants(plain, options.mutate, options.seed)]) add(record, await verdictOf(run, subject, upstream));
  }
  const messages = chosen
    .filter(({ payload }) => payload.kind === 'mcp' || payload.kind === 'url')
    .map((one) => (one.payload.kind === 'url' ? asFetch(one) : one));
  if (options.config === null) skipped.push(...messages.map(({ id }) => ({ id, why: 'MCP needs the gateway' })));
  else await overMcp(messages, options.mutate, add);
  const report = reportOf(judged, { revision: subject.revision, server: `node ${process.versions.node}`, seed: options.seed });
  return { ...report, skipped };
}

/** An address to be fetched is a tool's argument; a forward proxy, which none of them may find here, is what only the forbidden ones ask for. */
function overHttp({ payload, expected }: HttpCase): boolean {
  return payload.kind !== 'mcp' && !(payload.kind === 'url' && expected === 'must-allow');
}

/** MCP has an enforcer and a server of its own, in this process. */
async function overMcp(cases: readonly HttpCase[], mutate: number, add: (record: HttpCase, verdict: HttpVerdict) => void): Promise<void> {
  if (cases.length === 0) return;
  await using subject = await startMcpSubject();
  const spellings = Object.keys(SPELLINGS).slice(0, 1 + mutate);
  for (const one of cases) for (const spelling of spellings) add(one, await mcpVerdict(one, spelling, subject));
}

/** null: it is run. What is not supported must be refused all the same, so that such cases are run. */
function later({ protocol, expected, payload }: HttpCase, subject: HttpSubject): string | null {
  if (protocol === 'kubernetes' && expected === 'must-allow') return 'unsupported: Kubernetes is a later issue';
  return payload.kind === 'h2' && subject.secure === null ? 'HTTP/2 needs the gateway' : null;
}

async function verdictOf(run: HttpRun, subject: HttpSubject, upstream: Upstream): Promise<HttpVerdict> {
  const { case: record, mutation } = run;
  const seen = await perform(run, subject, upstream);
  const floods = await flooded(run, seen, subject, upstream);
  const leaks = leaksIn(run, seen, subject.token);
  const differs = record.expected === 'must-allow' ? difference(seen, await perform(run, directly(upstream), upstream)) : floods;
  const judgement = judge(run, seen, { leaks, differs });
  return {
    id: record.id,
    mode: record.protocol,
    mutation,
    expected: record.expected,
    ...outcomeOf(seen),
    ...(record.expected === 'must-mask' && outcomeOf(seen).outcome === 'allowed' && { outcome: 'masked' as const }),
    sqlstate: null,
    passed: judgement.passed && floods === null,
    neutralised: judgement.passed && judgement.neutralised,
    reached_target: seen.reached.length > 0,
    effect_seen: false,
    leaks,
    differs,
    status: seen.answer?.status ?? null,
    ms: Math.round(seen.ms * 10) / 10,
  };
}

/** Requests of a flood that may have reached the upstream before it was stopped. */
const FLOOD_REACHES = 200;

/** A flood must be stopped, reach nobody, and leave the gateway as it was; null: so it is, or it was none. */
async function flooded({ case: record }: HttpRun, seen: HttpSeen, subject: HttpSubject, upstream: Upstream): Promise<string | null> {
  if (record.payload.kind !== 'h2' || record.payload.headers['__frames__'] === undefined) return null;
  if (seen.hung) return 'the flood was not stopped';
  const requests = (seen.reached.toString('latin1').match(/ HTTP\/1\.1\r\n/g) ?? []).length;
  if (requests > FLOOD_REACHES) return `${requests} requests of the flood reached the upstream`;
  const after = { case: { ...record, payload: { kind: 'raw', bytes: AFTER } as const }, mutation: null, bytes: AFTER, answer: null };
  // what was asked for and taken back may still be judged, by an engine elsewhere for a moment
  for (const until = performance.now() + AFTER_FLOOD_MS; ; await nextTurn()) {
    if ((await perform(after, subject, upstream)).answer?.status === 200) return null;
    if (performance.now() > until) return 'after the flood nobody is served';
  }
}

/** Within this somebody else must be served again. */
const AFTER_FLOOD_MS = 5_000;
const AFTER = Buffer.from('GET /api/orders HTTP/1.1\r\nHost: api.internal\r\n\r\n');
