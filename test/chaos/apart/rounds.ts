/** One round apart: load, a fault in one component, what must stand still and what must go on meanwhile, healing, oracles. */
import { checkRound, seenAtTarget, type Finding } from '../checks.ts';
import type { Part } from '../gateway.ts';
import { checkModel } from '../model.ts';
import type { BuiltWrong } from '../options.ts';
import { recordedIn, type Reading } from '../recorded.ts';
import { recoverAndVerify } from '../recovered.ts';
import { startReviewer, type Reviewer } from '../reviewer.ts';
import type { RoundResult } from '../rounds.ts';
import { checkSecrets } from '../secrets.ts';
import { drained, underLoad } from '../under-load.ts';
import { startWorkload, type Workload } from '../workload.ts';
import { archiveFindings } from './archive.ts';
import type { ApartBed, Built, Half } from './bed.ts';
import { runsWithin } from './clients.ts';
import { outage } from './outages.ts';
import type { ApartFault, ApartRound } from './round.ts';
import { tampering } from './tampering.ts';

/** Which half is built wrong. */
const SABOTAGED: Readonly<Record<BuiltWrong, Half>> = {
  'no-fdatasync': 'enforcer',
  'late-intent': 'enforcer',
  'deny-ignored': 'enforcer',
  'double-consume': 'engine',
  'bit-rot': 'enforcer',
  'archive-gap': 'engine',
  'masks-ignored': 'enforcer',
  'disk-ignored': 'enforcer',
  'approval-ignored': 'enforcer',
  'gives-up': 'enforcer',
  'commit-undone': 'enforcer',
};

const NOTHING = { inFlight: 0, reached: 0, unknown: 0 };

export async function playApart(round: ApartRound): Promise<RoundResult> {
  const { bed, component, fault, random } = round;
  bed.relay.clear();
  try {
    await bed.whole(builtFor(round));
  } catch (error) {
    return { findings: [{ check: 'the gateway starts', detail: String(error) }], ...NOTHING };
  }
  // a part that was started anew is known to the other a moment later
  const late = await runsWithin(bed, 'SELECT 1');
  if (late !== null) return { findings: [late], ...NOTHING };
  const load = await startWorkload(bed.url(), round.name, random);
  const reviewers = [startReviewer(bed.running('engine').ready.api, await bed.reviewer(), fault === 'clock')];
  const inFlight = await underLoad(load, round);
  const findings: Finding[] = [...(await outage(round))];
  await load.stop();
  await drained({ bed });
  const { findings: broken, unknown } = await recovered(bed);
  const target = seenAtTarget(bed.relay);
  findings.push(...(await checkModel(bed.server, round.name, load)));
  const back = resumes(bed, reviewers);
  // in this order: a use that was under way when its client went may come to its end between the two
  const effects = await read(bed, 'enforcer');
  const uses = await read(bed, 'engine');
  findings.push(...broken, ...checkRound(target, effects, load), ...checkUses(ofRound(round, effects), uses), ...(await back));
  if (fault === 'flip' && component !== 'nats')
    findings.push(...(await tampering(bed, component, random, round.sabotage === 'blind-verify')), ...(await resumes(bed, reviewers)));
  findings.push(...(await archiveFindings(bed)), ...(await leaks(bed, load)));
  for (const reviewer of reviewers) await reviewer.stop();
  return { findings, inFlight, reached: target.size, unknown };
}

function builtFor({ bed, component, fault, sabotage }: ApartRound): Built | null {
  if (sabotage !== null && sabotage !== 'blind-verify') {
    const dropping = sabotage === 'no-fdatasync' && fault === 'power' && bed.disk === null;
    return { half: SABOTAGED[sabotage], part: dropping ? 'dropping-no-fdatasync' : sabotage };
  }
  const part = PARTS[fault];
  if (part === undefined || component === 'nats') return null;
  return part === 'dropping' && bed.disk !== null ? null : { half: component, part };
}

const PARTS: { readonly [fault in ApartFault]?: Part } = { eio: 'faulty', enospc: 'faulty', clock: 'jumping', power: 'dropping' };

/** What died is opened by the tester before anybody else, and judged as it was left. */
async function recovered(bed: ApartBed): Promise<{ readonly findings: readonly Finding[]; readonly unknown: number }> {
  const findings: Finding[] = [];
  let unknown = 0;
  for (const half of ['engine', 'enforcer'] as const) {
    if (bed.isRunning(half)) continue;
    const recovery = await recoverAndVerify(bed.places[half].stateDir, bed.places[half].journalDir, half === 'enforcer');
    findings.push(...recovery.findings);
    if (half === 'enforcer') unknown = recovery.unknown;
  }
  return { findings, unknown };
}

/** So many records at the end of a journal may go with the power, and their numbers be given again. */
const UNSYNCED_MAX = 1_000;

async function read(bed: ApartBed, half: Half): Promise<Reading> {
  const found = await recordedIn(bed.places[half].journalDir, bed.read[half]);
  bed.read[half] = Math.max(-1, found.last - UNSYNCED_MAX);
  return found;
}

/** What was read again of the rounds before is none of this one's. */
function ofRound({ name }: ApartRound, { approved }: Reading): readonly string[] {
  return [...approved].flatMap(([marker, ids]) => (marker.startsWith(`op_${name}_`) ? ids : []));
}

/** C3: what was cleared with an approval was given by the engine, as often. */
function checkUses(uses: readonly string[], { given }: Reading): readonly Finding[] {
  const used = new Map<string, number>();
  for (const id of uses) used.set(id, (used.get(id) ?? 0) + 1);
  const findings: Finding[] = [];
  for (const [id, times] of used)
    if (times > (given.get(id) ?? 0))
      findings.push({ check: 'C3 approvals used once', detail: `${id} was used ${times} times and given ${given.get(id) ?? 0} times` });
  return findings;
}

/** C5. The credential's file stands beside these folders. */
async function leaks(bed: ApartBed, load: Workload): Promise<readonly Finding[]> {
  const { engine, enforcer } = bed.places;
  const metrics = await fetch(`${bed.running('engine').ready.api}/metrics`).then((answer) => answer.text());
  const folders = {
    engine: engine.stateDir,
    'engine, journal': engine.journalDir,
    enforcer: enforcer.stateDir,
    'enforcer, journal': enforcer.journalDir,
  };
  const said = { clients: load.received(), logs: bed.takeLogs(), metrics: [metrics] };
  return checkSecrets({ said, folders: { ...folders, nats: bed.nats.storeDir } }, bed.server.password);
}

/** Without anybody's help: a statement that needs everything, on a connection of its own, runs within ten seconds. */
async function resumes(bed: ApartBed, reviewers: Reviewer[]): Promise<readonly Finding[]> {
  try {
    await bed.whole();
    reviewers.push(startReviewer(bed.running('engine').ready.api, await bed.reviewer()));
  } catch (error) {
    return [{ check: 'the gateway starts', detail: String(error) }];
  }
  const late = await runsWithin(bed, "UPDATE items SET note = 'resumed' WHERE id = 1");
  return late === null ? [] : [late];
}
