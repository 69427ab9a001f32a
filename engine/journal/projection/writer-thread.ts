/** The thread that writes the projection. Whatever fails here, it drops the file and makes it anew, later each time; statements never wait for it. */
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { InterlockError } from '#schemas/errors';
import { Follower, type Anew, type FollowerOptions } from './follower.ts';
import { isAsked } from './offline.ts';
import type { Order, Report } from './threads.ts';

const port = parentPort;
if (port === null) throw new Error('writer-thread.ts is opened as a worker thread');
const options = workerData as FollowerOptions;

const AGAIN_MS = 500;
const AGAIN_MS_MAX = 60_000;
/** What is durable was not found in the files. */
const LOOK_AGAIN_MS = 200;
/** A command asks for a rebuild by a file beside the projection. */
const LOOK_EVERY_MS = 500;
/** Nobody says that the archive grew. */
const ARCHIVE_EVERY_MS = 250;
/** While statements need the processors: short transactions, and after each a rest of so many times what it took of a processor. */
const GIVING_WAY = { recordsMax: 256, rest: 49 } as const;

const idleMs = options.archive === undefined ? null : ARCHIVE_EVERY_MS;
let upTo = -1;
let asked = false;
let closing = false;
let givesWay = false;
let wake = Promise.withResolvers<void>();
let failures = 0;

port.on('message', (order: Order) => {
  if (order.kind === 'up_to') upTo = order.position;
  else if (order.kind === 'rebuild') asked = true;
  else if (order.kind === 'give_way') givesWay = order.to;
  else closing = true;
  rouse();
});
niceThread();
const looking = setInterval(() => {
  if (!isAsked(options.file)) return;
  asked = true;
  rouse();
}, LOOK_EVERY_MS);
await run();
clearInterval(looking);
port.close();

async function run(): Promise<void> {
  let anew: Anew | null = null;
  while (!closing) {
    try {
      await using follower = new Follower(options);
      await follow(follower, anew);
    } catch (error) {
      anew = error instanceof InterlockError && error.code === 'STATE_LOCKED' ? null : 'failed';
      tell({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
      await roused(Math.min(AGAIN_MS * 2 ** failures++, AGAIN_MS_MAX));
    }
  }
}

async function follow(follower: Follower, anew: Anew | null): Promise<void> {
  let why = await follower.open(anew);
  for (;;) {
    asked = false;
    tell({ kind: 'opened', anew: why, position: follower.position });
    let told = -2;
    let idle = false;
    while (!closing && !asked) {
      const before = process.threadCpuUsage();
      const { changes, ...caught } = givesWay ? await follower.next(upTo, GIVING_WAY.recordsMax) : await follower.next(upTo);
      // to look at an archive that did not grow is no news
      if (caught.records > 0 || caught.position !== told || !idle) tell({ kind: 'caught', ...caught, changes });
      told = caught.position;
      idle = caught.done;
      if (caught.done) failures = 0;
      if (givesWay) await rested(before);
      if (caught.done && !closing && !asked) await roused(follower.position >= upTo ? idleMs : LOOK_AGAIN_MS);
    }
    if (closing) return;
    why = await follower.open('asked');
  }
}

function rouse(): void {
  wake.resolve();
  wake = Promise.withResolvers();
}

/** When there is something to do, or the time is over. */
async function roused(ms: number | null): Promise<void> {
  const { promise } = wake;
  if (ms === null) return promise;
  const timer = setTimeout(rouse, ms);
  await promise;
  clearTimeout(timer);
}

/** Of what was worked since: this thread takes a fiftieth of a processor, as long as statements need the rest. */
async function rested(since: NodeJS.CpuUsage): Promise<void> {
  const { user, system } = process.threadCpuUsage(since);
  const untilMs = performance.now() + ((user + system) / 1000) * GIVING_WAY.rest;
  for (let leftMs = untilMs - performance.now(); givesWay && !closing && !asked && leftMs > 0; leftMs = untilMs - performance.now())
    await roused(leftMs);
}

function tell(report: Report): void {
  port?.postMessage(report);
}

/**
 * Linux counts niceness by thread: where processors are few, statements go first. Elsewhere it would be the whole process that gives way. The
 * threads of libuv's pool are older than this one, and stay as they are.
 */
function niceThread(): void {
  if (process.platform === 'linux') setPriority(0, 10);
}
