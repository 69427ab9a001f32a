/** One round of each fault: load, fault, recovery, oracles. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { TestBed } from './bed.ts';
import { checkModel } from './model.ts';
import { checkRound, recordedIn, seenAtTarget, type Finding } from './checks.ts';
import type { Part } from './gateway.ts';
import { diskImage, type DiskImage } from './image.ts';
import type { BuiltWrong } from './options.ts';
import { startProcess, type GatewayProcess } from './process.ts';
import type { Random } from '#test/support/random';
import { recoverAndVerify } from './recovered.ts';
import { checkSecrets } from './secrets.ts';
import { startReviewer } from './reviewer.ts';
import { after, drained, underLoad } from './under-load.ts';
import { startWorkload, type Workload } from './workload.ts';

export interface Round {
  readonly bed: TestBed;
  /** `r12`: part of every marker. */
  readonly name: string;
  readonly random: Random;
  readonly sabotage: BuiltWrong | null;
  /** Where the journal goes when it needs no disk of its own; kept from round to round. */
  readonly journalDir: string;
}

export interface RoundResult {
  readonly findings: readonly Finding[];
  /** Statements that were sent and not answered when the fault came. */
  readonly inFlight: number;
  /** Markers that the relay saw. */
  readonly reached: number;
  /** Statements that were recorded as cleared and got `unknown` at recovery: the fault came while they ran. */
  readonly unknown: number;
}

/** kill -9; the journal is reused by the next round, whose gateway recovers it. */
export async function killRound(round: Round): Promise<RoundResult> {
  const { bed, sabotage, journalDir: dir } = round;
  return withGateway(round, dir, sabotage, async (gateway, load) => {
    const inFlight = await underLoad(load, round);
    gateway.signal('SIGKILL');
    await gateway.ended;
    await drained(round);
    await load.stop();
    const target = seenAtTarget(bed.relay);
    // sabotaged or not, what a recovering process finds is what counts
    const { unknown, ...verified } = await recoverAndVerify(bed.stateDir, dir);
    return { findings: [...checkRound(target, await recordedIn(dir), load), ...verified.findings], inFlight, reached: target.size, unknown };
  });
}

/** The power goes: only what was synced is in the copy of the disk. */
export async function powerRound(round: Round): Promise<RoundResult> {
  using disk = diskImage();
  if (disk === null) return droppedRound(round);
  const { bed, sabotage } = round;
  const dir = join(disk.path, 'journal');
  mkdirSync(dir, { mode: 0o700 });
  return await withGateway(round, dir, sabotage, async (gateway, load) => {
    const inFlight = await underLoad(load, round);
    gateway.signal('SIGSTOP');
    await drained(round);
    const target = seenAtTarget(bed.relay);
    using crashed: DiskImage = disk.cut();
    gateway.signal('SIGKILL');
    await gateway.ended;
    await load.stop();
    const left = join(crashed.path, 'journal');
    const { unknown, ...verified } = await recoverAndVerify(bed.stateDir, left);
    return { findings: [...checkRound(target, await recordedIn(left), load), ...verified.findings], inFlight, reached: target.size, unknown };
  });
}

/** Whether `powerRound` has a disk to cut, or uses a file layer that drops what was not synced. */
export function powerBy(): 'loop' | 'layer' {
  using disk = diskImage();
  return disk === null ? 'layer' : 'loop';
}

async function droppedRound(round: Round): Promise<RoundResult> {
  const part: Part = round.sabotage === 'no-fdatasync' ? 'dropping-no-fdatasync' : 'dropping';
  const dir = `${round.journalDir}-${round.name}`;
  return withGateway(round, dir, part, async (gateway, load) => {
    const inFlight = await underLoad(load, round);
    gateway.signal('SIGKILL');
    await gateway.ended;
    await drained(round);
    await load.stop();
    const target = seenAtTarget(round.bed.relay);
    const { unknown, ...verified } = await recoverAndVerify(round.bed.stateDir, dir);
    return { findings: [...checkRound(target, await recordedIn(dir), load), ...verified.findings], inFlight, reached: target.size, unknown };
  });
}

/** EIO, or no room for the next segment: the gateway refuses, ends itself, and nothing reaches the target a second later. */
export async function deadDiskRound(round: Round, fault: 'eio' | 'enospc'): Promise<RoundResult> {
  const { bed, journalDir: dir } = round;
  return withGateway(round, dir, 'faulty', async (gateway, load) => {
    const inFlight = await underLoad(load, round);
    gateway.tell(fault);
    const atDeadline = fault === 'eio' ? after(CLOSED_AFTER_MS, null).then(() => seenAtTarget(bed.relay).size) : null;
    const how = await Promise.race([gateway.ended, after(DEAD_MS, 'running')]);
    const closedAt = await atDeadline;
    await drained(round);
    await load.stop();
    const findings: Finding[] = [];
    const grown = closedAt === null ? 0 : seenAtTarget(bed.relay).size - closedAt;
    if (grown > 0) findings.push({ check: 'C6 closed while the journal is down', detail: `${grown} statements reached the target after a second` });
    if (how === 'running' || how === 0)
      findings.push({ check: 'C6 closed while the journal is down', detail: `after ${fault} the gateway ended with: ${how}` });
    gateway.signal('SIGKILL');
    await gateway.ended;
    const target = seenAtTarget(bed.relay);
    const { unknown, ...verified } = await recoverAndVerify(bed.stateDir, dir);
    return {
      findings: [...findings, ...checkRound(target, await recordedIn(dir), load), ...verified.findings],
      inFlight,
      reached: target.size,
      unknown,
    };
  });
}

/** The disk does not answer for a while: nothing new reaches the target, and service resumes by itself. */
export async function stallRound(round: Round): Promise<RoundResult> {
  const { bed, journalDir: dir } = round;
  return withGateway(round, dir, 'faulty', async (gateway, load) => {
    const inFlight = await underLoad(load, round);
    gateway.tell('stall');
    await after(CLOSED_AFTER_MS, null);
    const atDeadline = seenAtTarget(bed.relay).size;
    await after(STALL_MS, null);
    const grown = seenAtTarget(bed.relay).size - atDeadline;
    const findings: Finding[] = [];
    if (grown > 0) findings.push({ check: 'C6 closed while the journal is down', detail: `${grown} statements reached the target during the stall` });
    const before = load.operations.filter(({ answer }) => answer === 'ok').length;
    gateway.tell('heal');
    const resumed = await Promise.race([load.succeeded(before + 1).then(() => true), after(RESUME_MS, false)]);
    if (!resumed) findings.push({ check: 'C6 closed while the journal is down', detail: `no statement ran within ${RESUME_MS} ms of healing` });
    gateway.signal('SIGTERM');
    await load.stop();
    await gateway.ended;
    await drained(round);
    const target = seenAtTarget(bed.relay);
    const { unknown, ...verified } = await recoverAndVerify(bed.stateDir, dir);
    return {
      findings: [...findings, ...checkRound(target, await recordedIn(dir), load), ...verified.findings],
      inFlight,
      reached: target.size,
      unknown,
    };
  });
}

const DEAD_MS = 15_000;
const CLOSED_AFTER_MS = 1_000;
const STALL_MS = 1_500;
const RESUME_MS = 10_000;

async function withGateway(
  { bed, name, random }: Round,
  journalDir: string,
  part: Part | null,
  play: (gateway: GatewayProcess, load: Workload) => Promise<RoundResult>,
): Promise<RoundResult> {
  bed.relay.clear();
  const gateway = await startProcess(bed.configure(journalDir), part).catch((error: unknown) => String(error));
  if (typeof gateway === 'string') return { findings: [{ check: 'the gateway starts', detail: gateway }], inFlight: 0, reached: 0, unknown: 0 };
  try {
    const load = await startWorkload(`postgresql://alice:${bed.requester}@${gateway.address}/postgres`, name, random);
    const reviewer = startReviewer(gateway.ready.api, await bed.reviewer());
    const result = await play(gateway, load);
    await reviewer.stop();
    const { server } = bed;
    const left = checkSecrets({ said: { clients: load.received(), log: [gateway.log()] }, folders: {} }, server.password);
    return { ...result, findings: [...result.findings, ...(await checkModel(server, name, load)), ...left] };
  } finally {
    gateway.signal('SIGKILL');
    await gateway.ended;
  }
}
