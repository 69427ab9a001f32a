/** What each fault does to a part, what must stand still meanwhile, and what must go on. When it returns, the part is back, or gone for `whole` to start. */
import { seenAtTarget, type Finding } from '../checks.ts';
import type { GatewayProcess } from '../process.ts';
import { after, drained } from '../under-load.ts';
import type { ApartBed, ApartComponent, Half } from './bed.ts';
import { admits, openWitness, RESUME_MS, runsWithin } from './clients.ts';
import type { ApartFault, ApartRound } from './round.ts';

/** A fault that closes something has closed it so much later (I6). */
const CLOSED_MS = 1_000;
/** How long is looked at what stands still. */
const WATCHED_MS = 1_000;
const DOWN_MS = 1_500;
/** One way, at most: an answer of the engine takes up to twice as long; a target is nearer, and an approved write asks it some thirty times. */
const LATE_MS_MAX = 150;
const NEAR_MS_MAX = 25;
/** Just beyond an approval's validity, beyond the end of everybody's token, and back. */
const JUMPS_MS = [120_000, 36_000_000, -36_000_000];

export async function outage(round: ApartRound): Promise<readonly Finding[]> {
  const { bed, component, fault } = round;
  switch (fault) {
    case 'kill':
    case 'power':
      return component !== 'enforcer' && round.watched ? await without(round, component) : await anew(round);
    case 'flip':
      await bed.kill(halfOf(component));
      return [];
    case 'stop':
    case 'partition':
      return component === 'enforcer' ? await away(bed, fault) : await without(round, component);
    case 'eio':
    case 'enospc':
      return component === 'engine' ? await without(round, 'engine') : await enforcersDisk(bed, fault);
    case 'delay':
      return await slow(round);
    case 'clock':
      return await jumped(round, halfOf(component));
  }
}

function halfOf(component: ApartComponent): Half {
  if (component === 'nats') throw new Error('only what is our own can be built otherwise');
  return component;
}

/** Whoever supervises it starts it again at once, under load. An enforcer's clients go with it: it is judged while it is gone. */
async function anew({ bed, component, fault }: ApartRound): Promise<readonly Finding[]> {
  await strike(bed, component, fault);
  if (component !== 'enforcer') await bed.whole();
  return [];
}

/** Its clients wait, and what it does when it is back is judged like everything else. */
async function away(bed: ApartBed, fault: 'stop' | 'partition'): Promise<readonly Finding[]> {
  await strike(bed, 'enforcer', fault);
  await after(DOWN_MS, null);
  heal(bed, 'enforcer', fault);
  return [];
}

async function enforcersDisk(bed: ApartBed, fault: ApartFault): Promise<readonly Finding[]> {
  const findings = await strike(bed, 'enforcer', fault);
  await bed.kill('enforcer');
  return findings;
}

/**
 * What is judged beside the target goes on in open sessions, and nothing that needs an approval: an engine gives it, and nats-server orders it. A new
 * session needs the engine.
 */
async function without({ bed, name, fault }: ApartRound, component: 'engine' | 'nats'): Promise<readonly Finding[]> {
  await using witness = await openWitness(bed.url(), CLOSED_MS);
  const findings: Finding[] = [...(await strike(bed, component, fault))];
  await after(CLOSED_MS, null);
  const before = seenAtTarget(bed.relay);
  const [admitted] = await Promise.all([admits(bed, WATCHED_MS), after(WATCHED_MS, null)]);
  const grown = [...seenAtTarget(bed.relay).keys()].filter((marker) => !before.has(marker));
  const find = (detail: string): void => void findings.push({ check: 'C6 closed while the engine is down', detail: `${component}: ${detail}` });
  for (const marker of grown) if (marker.endsWith('_approve')) find(`${marker} reached the target`);
  if (admitted && component === 'engine') find('a new session was opened');
  if (!(await witness.runs(`SELECT 'op_${name}_1000000_allow'`))) find('what needs no engine did not go on in an open session');
  heal(bed, component, fault);
  return findings;
}

/** Everything takes longer and goes on: a new session, and a statement that needs everything. */
async function slow({ bed, component, random }: ApartRound): Promise<readonly Finding[]> {
  for (const valve of linesOf(bed, component)) valve.late = () => random.between(0, valve === bed.upstream ? NEAR_MS_MAX : LATE_MS_MAX);
  const late = await runsWithin(bed, "UPDATE items SET note = 'late' WHERE id = 1");
  for (const valve of linesOf(bed, component)) valve.late = null;
  return late === null ? [] : [late];
}

function linesOf(bed: ApartBed, component: ApartComponent): readonly ApartBed['line'][] {
  switch (component) {
    case 'enforcer':
      return [bed.channel, bed.upstream];
    case 'engine':
      return [bed.channel];
    case 'nats':
      return [bed.line];
  }
}

/** What an approval or a token is worth ends by either clock: nothing runs longer for it, and all is well again when the clock is. */
async function jumped({ bed, random }: ApartRound, half: Half): Promise<readonly Finding[]> {
  const part = bed.running(half);
  part.tell({ clockMs: random.pick(JUMPS_MS) });
  await after(DOWN_MS, null);
  if (bed.isRunning(half)) part.tell({ clockMs: 0 });
  return [];
}

async function strike(bed: ApartBed, component: ApartComponent, fault: ApartFault): Promise<readonly Finding[]> {
  if (fault === 'partition') bed.shut(component === 'nats' ? bed.line : bed.channel);
  else if (fault === 'stop') process.kill(pidOf(bed, component), 'SIGSTOP');
  else if (fault === 'power') await bed.cutPower(component, () => drained({ bed }));
  else if (fault === 'eio' || fault === 'enospc') return await diskDies(bed.running(halfOf(component)), fault);
  else await (component === 'nats' ? bed.nats.stop() : bed.kill(component));
  return [];
}

function heal(bed: ApartBed, component: ApartComponent, fault: ApartFault): void {
  if (fault === 'stop') process.kill(pidOf(bed, component), 'SIGCONT');
  bed.unshut();
}

function pidOf(bed: ApartBed, component: ApartComponent): number {
  return component === 'nats' ? bed.nats.pid : bed.running(component).ready.pid;
}

/** Nothing may run without its record: the process ends by itself, and not as if all were well. */
async function diskDies(part: GatewayProcess, fault: 'eio' | 'enospc'): Promise<readonly Finding[]> {
  part.tell(fault);
  const how = await Promise.race([part.ended, after(RESUME_MS, 'running' as const)]);
  return how === 'running' || how === 0 ? [{ check: 'C6 closed while the journal is down', detail: `after ${fault} it ended with: ${how}` }] : [];
}
