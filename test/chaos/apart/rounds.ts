/** One round apart: load, a fault in one component, what must stand still and what must go on meanwhile, healing, oracles. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { exportJournal } from '#engine/journal/export';
import type { Random } from '#test/support/random';
import type { Part } from '../gateway.ts';
import type { GatewayProcess } from '../process.ts';
import type { Sabotage } from '../options.ts';
import { checkRound, recordedIn, seenAtTarget, type Finding, type Recorded } from '../checks.ts';
import { recoverAndVerify, verified } from '../recovered.ts';
import { startReviewer, type Reviewer } from '../reviewer.ts';
import type { RoundResult } from '../rounds.ts';
import { after, drained, underLoad } from '../under-load.ts';
import { startWorkload } from '../workload.ts';
import { archiveFindings } from './archive.ts';
import type { ApartBed, ApartComponent, Half } from './bed.ts';

export const APART_FAULTS = ['kill', 'stop', 'partition', 'eio', 'enospc', 'flip'] as const;
export type ApartFault = (typeof APART_FAULTS)[number];

export interface ApartRound {
  readonly bed: ApartBed;
  readonly name: string;
  readonly random: Random;
  readonly component: ApartComponent;
  readonly fault: ApartFault;
  readonly sabotage: Sabotage | null;
}

/** Which part is built wrong. */
const SABOTAGED: Readonly<Record<Sabotage, Half>> = {
  'no-fdatasync': 'enforcer',
  'late-intent': 'enforcer',
  'deny-ignored': 'enforcer',
  'double-consume': 'engine',
  'archive-gap': 'engine',
};

/** A fault that closes something has closed it so much later (I6). */
const CLOSED_MS = 1_000;
const DOWN_MS = 1_500;
const RESUME_MS = 10_000;
const FLIPS = 10;

export async function playApart(round: ApartRound): Promise<RoundResult> {
  const { bed, component, fault } = round;
  const part = partOf(round);
  if (part !== null) await bed.kill(part.half);
  bed.relay.clear();
  try {
    await bed.whole(part);
  } catch (error) {
    return { findings: [{ check: 'the gateway starts', detail: String(error) }], inFlight: 0, reached: 0, unknown: 0 };
  }
  const late = await connects(bed);
  if (late !== null) return { findings: [late], inFlight: 0, reached: 0, unknown: 0 };
  const load = await startWorkload(bed.url(), round.name, round.random);
  const reviewers = [startReviewer(bed.running('engine').ready.api, await bed.reviewer())];
  const inFlight = await underLoad(load, round);
  const findings: Finding[] = [];
  let unknown = 0;
  if (component === 'enforcer') findings.push(...(await withoutEnforcer(round)));
  else findings.push(...(await without(round, component)));
  await load.stop();
  await drained({ bed });
  for (const half of gone(bed)) {
    const recovery = await recoverAndVerify(bed.places[half].stateDir, bed.places[half].journalDir, half === 'enforcer');
    findings.push(...recovery.findings);
    if (half === 'enforcer') unknown = recovery.unknown;
  }
  const target = seenAtTarget(bed.relay);
  const recorded = await recordedIn(bed.places.enforcer.journalDir);
  findings.push(...checkRound(target, recorded, load), ...(await checkUses(bed, recorded)));
  if (fault === 'flip' && component !== 'nats') findings.push(...(await flips(round, component)));
  findings.push(...(await resumes(bed, reviewers)), ...(await archiveFindings(bed)));
  for (const reviewer of reviewers) await reviewer.stop();
  return { findings, inFlight, reached: target.size, unknown };
}

function partOf({ component, fault, sabotage }: ApartRound): { readonly half: Half; readonly part: Part } | null {
  if (sabotage !== null) return { half: SABOTAGED[sabotage], part: sabotage };
  return component !== 'nats' && (fault === 'eio' || fault === 'enospc') ? { half: component, part: 'faulty' } : null;
}

function gone(bed: ApartBed): readonly Half[] {
  return (['engine', 'enforcer'] as const).filter((half) => !bed.isRunning(half));
}

/** Its clients go with it; what it had recorded is judged when it is gone. */
async function withoutEnforcer({ bed, fault }: ApartRound): Promise<readonly Finding[]> {
  const enforcer = bed.running('enforcer');
  if (fault === 'eio' || fault === 'enospc') {
    const findings = await diskDies(enforcer, fault);
    await bed.kill('enforcer');
    return findings;
  }
  if (fault === 'stop' || fault === 'partition') {
    if (fault === 'stop') enforcer.signal('SIGSTOP');
    else bed.shut(bed.channel);
    await after(DOWN_MS, null);
    enforcer.signal('SIGCONT');
    bed.unshut();
  } else await bed.kill('enforcer');
  return [];
}

/** Nothing may run without its record: the process ends by itself, and not as if all were well. */
async function diskDies(part: GatewayProcess, fault: 'eio' | 'enospc'): Promise<readonly Finding[]> {
  part.tell(fault);
  const how = await Promise.race([part.ended, after(RESUME_MS, 'running' as const)]);
  return how === 'running' || how === 0 ? [{ check: 'C6 closed while the journal is down', detail: `after ${fault} it ended with: ${how}` }] : [];
}

/**
 * What is judged beside the target goes on in open sessions, and nothing that needs an approval: an engine gives it, and nats-server orders it. A new
 * session needs the engine.
 */
async function without({ bed, name, fault }: ApartRound, component: 'engine' | 'nats'): Promise<readonly Finding[]> {
  // the clients of the load may all be held: one that is not
  await using witness = await openWitness(bed.url());
  const findings: Finding[] = [...(await strike(bed, component, fault))];
  await after(CLOSED_MS, null);
  const before = seenAtTarget(bed.relay);
  const admitted = await entered(bed);
  await after(DOWN_MS, null);
  const grown = [...seenAtTarget(bed.relay).keys()].filter((marker) => !before.has(marker));
  const find = (detail: string): void => void findings.push({ check: 'C6 closed while the engine is down', detail: `${component}: ${detail}` });
  for (const marker of grown) if (marker.endsWith('_approve')) find(`${marker} reached the target`);
  if (admitted && component === 'engine') find('a new session was opened');
  if (!(await witness.runs(`SELECT 'op_${name}_1000000_allow'`))) find('what needs no engine did not go on in an open session');
  if (fault === 'stop') process.kill(pidOf(bed, component), 'SIGCONT');
  bed.unshut();
  return findings;
}

function pidOf(bed: ApartBed, component: 'engine' | 'nats'): number {
  return component === 'nats' ? bed.nats.pid : bed.running(component).ready.pid;
}

async function strike(bed: ApartBed, component: 'engine' | 'nats', fault: ApartFault): Promise<readonly Finding[]> {
  if (component === 'engine' && (fault === 'eio' || fault === 'enospc')) return await diskDies(bed.running('engine'), fault);
  if (fault === 'partition') bed.shut(component === 'nats' ? bed.line : bed.channel);
  else if (fault === 'stop') process.kill(pidOf(bed, component), 'SIGSTOP');
  else await (component === 'nats' ? bed.nats.stop() : bed.kill('engine'));
  return [];
}

interface Witness extends AsyncDisposable {
  runs(sql: string): Promise<boolean>;
}

async function openWitness(url: string): Promise<Witness> {
  const client = new pg.Client({ connectionString: url, query_timeout: CLOSED_MS });
  client.on('error', () => {});
  await client.connect();
  return {
    runs: (sql) =>
      client.query(sql).then(
        () => true,
        () => false,
      ),
    [Symbol.asyncDispose]: () => client.end().catch(() => {}),
  };
}

async function entered(bed: ApartBed): Promise<boolean> {
  const client = new pg.Client({ connectionString: bed.url(), connectionTimeoutMillis: DOWN_MS });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.end();
    return true;
  } catch {
    return false;
  }
}

/** C3: what was cleared with an approval was given by the engine, as often. */
async function checkUses(bed: ApartBed, { approved }: Recorded): Promise<readonly Finding[]> {
  const given = new Map<string, number>();
  for await (const line of exportJournal(bed.places.engine.journalDir)) {
    const event = JSON.parse(line) as { type: string; approval_id?: string };
    if (event.type === 'approval.consumed') given.set(event.approval_id ?? '', (given.get(event.approval_id ?? '') ?? 0) + 1);
  }
  const used = new Map<string, number>();
  for (const id of [...approved.values()].flat()) used.set(id, (used.get(id) ?? 0) + 1);
  const findings: Finding[] = [];
  for (const [id, times] of used)
    if (times > (given.get(id) ?? 0))
      findings.push({ check: 'C3 approvals used once', detail: `${id} was used ${times} times and given ${given.get(id) ?? 0} times` });
  return findings;
}

/** Without anybody's help: a statement that needs everything, on a connection of its own, runs within ten seconds. */
async function resumes(bed: ApartBed, reviewers: Reviewer[]): Promise<readonly Finding[]> {
  try {
    await bed.whole();
    reviewers.push(startReviewer(bed.running('engine').ready.api, await bed.reviewer()));
  } catch (error) {
    return [{ check: 'the gateway starts', detail: String(error) }];
  }
  const late = await within(bed, "UPDATE items SET note = 'resumed' WHERE id = 1");
  return late === null ? [] : [late];
}

/** A part that was started anew is known to the other a moment later. */
function connects(bed: ApartBed): Promise<Finding | null> {
  return within(bed, 'SELECT 1');
}

/** null: it ran, on a connection of its own, at the first or a later attempt. */
async function within(bed: ApartBed, sql: string): Promise<Finding | null> {
  const end = performance.now() + RESUME_MS;
  for (;;) {
    const client = new pg.Client({ connectionString: bed.url(), connectionTimeoutMillis: RESUME_MS, query_timeout: RESUME_MS });
    client.on('error', () => {});
    const wrong = await client
      .connect()
      .then(() => client.query(sql))
      .then(
        () => null,
        (error: unknown) => String(error),
      );
    await client.end().catch(() => {}); // the connection may be gone already
    if (wrong === null) return null;
    if (performance.now() > end) return { check: 'C6 service resumes', detail: `not within ${RESUME_MS} ms: ${wrong}` };
    await after(100, null);
  }
}

/** C8: one bit of what is recorded, anywhere in it, and the journal does not verify; the untouched copy does. */
async function flips({ bed, random }: ApartRound, component: Half): Promise<readonly Finding[]> {
  await bed.kill(component);
  const { stateDir, journalDir } = bed.places[component];
  const elsewhere = component === 'enforcer';
  const findings: Finding[] = [...(await recoverAndVerify(stateDir, journalDir, elsewhere)).findings];
  const dir = mkdtempSync(join(tmpdir(), 'interlock-flip-'));
  try {
    for (let flip = 0; flip < FLIPS; flip++) {
      rmSync(dir, { recursive: true, force: true });
      cpSync(journalDir, dir, { recursive: true });
      const where = flipped(dir, random);
      if ((await verified(stateDir, dir, elsewhere)).length === 0)
        findings.push({ check: 'C8 tampering is found', detail: `${where} was flipped and the journal verified` });
    }
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
  return findings;
}

/** A segment ends in zeros that nobody wrote yet, and the spare is nothing else: they are not the record. */
function flipped(dir: string, random: Random): string {
  const segments = readdirSync(dir).filter((name) => name.endsWith('.seg'));
  const used = segments.map((name) => [name, usedOf(readFileSync(join(dir, name)))] as const).filter(([, bytes]) => bytes.length > 0);
  const [name, bytes] = random.pick(used);
  const at = random.below(bytes.length);
  const file = readFileSync(join(dir, name));
  file[at] = (file[at] ?? 0) ^ (1 << random.below(8));
  writeFileSync(join(dir, name), file);
  return `${name}, byte ${at} of ${bytes.length}`;
}

function usedOf(bytes: Buffer): Buffer {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return bytes.subarray(0, end);
}
