import { dirname, join, resolve } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Command } from 'commander';
import { EXIT, InterlockError } from '#schemas/errors';
import { loadConfig } from '../../config/load.ts';
import type { Follower } from '../../journal/projection/follower.ts';
import { described, runs, type Common } from '../command.ts';
import { requireJournal } from '../journal.ts';
import type { Output } from '../output.ts';

interface Options extends Common {
  readonly dir?: string;
  readonly file?: string;
}

export function projectionCommand(): Command {
  const rebuilding = described({
    name: 'rebuild',
    summary: 'makes anew, from the journal, what lists and search read from; with a running gateway it is the gateway that does it',
    examples: [
      ['interlock projection rebuild', 'progress on stderr; with --json one object a line: records, of, percent, events, events_per_s, done'],
      ['interlock projection rebuild --dir /backup/journal', 'of a copy: the file is projection.sqlite beside that folder'],
    ],
  })
    .option('--dir <journal>', 'of this journal, without a configuration')
    .option('--file <file>', 'the file; else state.dir/projection.sqlite, with --dir projection.sqlite beside the journal')
    .action(runs(rebuild));
  const telling = described({ name: 'status', summary: 'what it holds, and how far it is behind the journal', examples: [] })
    .option('--dir <journal>', 'of this journal, without a configuration')
    .option('--file <file>', 'the file; else as with rebuild')
    .action(runs(status));
  return new Command('projection').description('what lists and search read from: rebuild, status').addCommand(rebuilding).addCommand(telling);
}

interface Places {
  readonly dir: string;
  readonly file: string;
}

async function placesOf({ dir, file, config }: Options): Promise<Places> {
  if (dir !== undefined) {
    await requireJournal(dir);
    return { dir, file: file ?? join(dirname(resolve(dir)), 'projection.sqlite') };
  }
  const { journal, stateDir } = await loadConfig(config);
  await requireJournal(journal.dir);
  return { dir: journal.dir, file: file ?? join(stateDir, 'projection.sqlite') };
}

async function status(output: Output, options: Options): Promise<number> {
  const { dir, file } = await placesOf(options);
  const { fileStatus } = await import('../../journal/projection/offline.ts');
  const found = await fileStatus(file, dir);
  const behind = Math.max(0, found.of - found.records);
  output.document({ ...found, behind }, () => [
    found.journal === null ? 'nothing is there that can be read' : `${found.records} of ${found.of} records, ${behind} behind`,
    `${found.sessions} sessions, ${found.statements} statements, ${found.requests} requests in ${(found.bytes / 1e6).toFixed(1)} MB`,
    `${found.file}${found.written ? ', written by a running process' : ''}`,
  ]);
  return EXIT.ok;
}

const TOLD_EVERY_MS = 500;

interface Progress {
  readonly records: number;
  readonly of: number;
  readonly percent: number;
  readonly events?: number;
  readonly events_per_s?: number;
  readonly done: boolean;
}

async function rebuild(output: Output, options: Options): Promise<number> {
  const places = await placesOf(options);
  const { lastPosition } = await import('../../journal/projection/offline.ts');
  const of = (await lastPosition(places.dir)) + 1;
  const follower = await writerOf(places);
  if (follower === null) await rebuiltByGateway(output, places, of);
  else {
    await using own = follower;
    await rebuiltHere(output, own, of);
  }
  return EXIT.ok;
}

/** null: another process writes it. */
async function writerOf(places: Places): Promise<Follower | null> {
  const { Follower } = await import('../../journal/projection/follower.ts');
  try {
    return new Follower(places);
  } catch (error) {
    if (error instanceof InterlockError && error.code === 'STATE_LOCKED') return null;
    throw error;
  }
}

async function rebuiltHere(output: Output, follower: Follower, of: number): Promise<void> {
  const started = performance.now();
  await follower.open('asked');
  let events = 0;
  let told = started;
  for (let done = false; !done; ) {
    const caught = await follower.next(of - 1);
    events += caught.events;
    ({ done } = caught);
    if (!done && performance.now() - told < TOLD_EVERY_MS) continue;
    told = performance.now();
    if (done) follower.checkpoint();
    await tell(output, { ...part(follower.position + 1, of), events, events_per_s: Math.round((events * 1000) / (told - started)), done });
  }
}

const TAKEN_MS_MAX = 15_000;

/** It looks for the request, and says by its file how far it is. */
async function rebuiltByGateway(output: Output, { file, dir }: Places, of: number): Promise<void> {
  const { askForRebuild, fileStatus, isAsked } = await import('../../journal/projection/offline.ts');
  askForRebuild(file);
  output.say('a running gateway writes it: it is asked to make it anew');
  const until = performance.now() + TAKEN_MS_MAX;
  while (isAsked(file)) {
    if (performance.now() > until) throw new InterlockError('NOT_REACHABLE', 'the process that writes the projection did not take the request');
    await wait(TOLD_EVERY_MS / 5);
  }
  for (let done = false; !done; ) {
    const { records } = await fileStatus(file, dir);
    done = records >= of;
    await tell(output, { ...part(records, of), done });
    if (!done) await wait(TOLD_EVERY_MS);
  }
}

/** @param known records when it began: a running gateway writes more meanwhile */
function part(records: number, known: number): { readonly records: number; readonly of: number; readonly percent: number } {
  const of = Math.max(records, known);
  return { records, of, percent: of === 0 ? 100 : Math.floor((100 * records) / of) };
}

/** Progress is for people on stderr, for programs a line each. */
async function tell(output: Output, progress: Progress): Promise<void> {
  if (output.json) return await output.line(progress, () => []);
  const { percent, records, of, events_per_s, done } = progress;
  output.say(`${percent} %  ${records} of ${of} records${events_per_s === undefined ? '' : `, ${events_per_s} events/s`}${done ? '; done' : ''}`);
}
