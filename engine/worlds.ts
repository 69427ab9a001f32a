/** Who may decide, plugged together: sources of approvers, the directory, delegations, and the groups last seen. */
import type { Clock } from '#client/clock';
import type { Identity, Principal } from '#client/identity';
import type { Ids } from '#client/ids';
import type { Directory } from '#schemas/directory';
import type { ApprovalOptions, FollowedLog } from './approvals/approvals.ts';
import { ChainWorlds } from './approvals/chain-worlds.ts';
import { Delegations } from './approvals/delegations.ts';
import { SeenGroups } from './approvals/seen-groups.ts';
import { DirectorySource } from './approvals/sources/directory.ts';
import { fetchText, readTextFile } from './approvals/sources/fetch-text.ts';
import { type OnCallCalendar, OnCallSource } from './approvals/sources/oncall.ts';
import { readCalendar } from './approvals/sources/read-calendar.ts';
import { RegoSource } from './approvals/sources/rego.ts';
import type { Worlds } from './approvals/world.ts';
import type { LoadedConfig, OnCallConfig, OnCallFrom } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { readSecret } from './config/secret.ts';
import type { Live } from './base.ts';
import { folding } from './folding.ts';
import type { LocalDecisionService } from './decide/service.ts';
import type { FileJournal } from './journal/file-journal.ts';

export interface WorldsFrom {
  readonly config: LoadedConfig;
  readonly live: Live;
  readonly journal: FileJournal;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: RedactingLog;
  readonly decisions: Pick<LocalDecisionService, 'documents' | 'approvers' | 'approversReadTime' | 'revision'>;
  readonly seen: SeenGroups;
  /** Where other engines write too. */
  readonly ordered?: FollowedLog;
}

export interface OpenWorlds {
  readonly worlds: Worlds;
  /** Empty until the book has read its history through `journal`. */
  readonly delegations: Delegations;
  /** For the book. */
  readonly journal: ApprovalOptions['journal'];
  close(): void;
}

export function openWorlds({ config, live, journal, clock, ids, log, decisions, seen, ordered }: WorldsFrom): OpenWorlds {
  const directory = new DirectorySource(() => {
    const documents = decisions.documents();
    // checked when the policies were built
    return documents === null ? null : ((documents['directory'] ?? NO_DIRECTORY) as Directory);
  });
  const calendars = Object.fromEntries(Object.entries(config.approvals.sources.oncall).map(([name, one]) => [name, calendarOf(one, log)]));
  for (const name of calendarsMissing(decisions.documents() ?? {}, config))
    log.warn({ calendar: name }, 'approval chains ask for an on-call calendar that is not configured: it names nobody');
  const oncall = new OnCallSource({ calendars, clock, log, shifts: (question) => readCalendar(question) });
  const rego = new RegoSource({
    ask: (name, input) => decisions.approvers(name, input),
    revision: () => decisions.revision,
    readsTime: (name) => decisions.approversReadTime(name),
  });
  const delegations = new Delegations({
    journal,
    ...(ordered && { ordered }),
    clock,
    ids,
    world: () => ({ personsOf: (account) => directory.people.marksOf(account) }),
    isProgram: (name) => seen.isProgram(name),
  });
  const worlds = new ChainWorlds({
    clock,
    log,
    seen,
    delegations,
    sources: [directory, oncall, rego],
    people: () => directory.people,
    describe: (target) => (Object.hasOwn(config.targets, target) ? (live.config.targets[target] ?? null) : null),
  });
  return { worlds, delegations, journal: restoring(journal, delegations), close: () => oncall.close() };
}

/** The book reads the whole history when it opens: the delegations are told from the same reading. */
function restoring(journal: FileJournal, delegations: Delegations): ApprovalOptions['journal'] {
  let first = true;
  return {
    ...folding(journal),
    payload: (ref) => journal.payload(ref),
    payloads: (refs) => journal.payloads(refs),
    get fault() {
      return journal.fault;
    },
    events: () => {
      if (!first) return journal.events();
      first = false;
      return delegations.restoring(journal.history());
    },
  };
}

/** Calendars that chains of the data documents ask for and no configuration has: their stages would ask nobody. */
export function calendarsMissing(documents: Readonly<Record<string, unknown>>, config: LoadedConfig): readonly string[] {
  const named = JSON.stringify(documents['approval_chains'] ?? {}).matchAll(/"oncall:([a-z0-9_-]+)"/g);
  return [...new Set([...named].map(([, name = '']) => name))].filter((name) => !Object.hasOwn(config.approvals.sources.oncall, name));
}

/** The same object each time: what is derived from it is derived once. */
const NO_DIRECTORY: Directory = {};

export function calendarOf({ from, ...calendar }: OnCallConfig, log: Pick<RedactingLog, 'hide'>): OnCallCalendar {
  return { ...calendar, read: (bounds) => textOf(from, log, bounds) };
}

async function textOf(from: OnCallFrom, log: Pick<RedactingLog, 'hide'>, bounds: Parameters<OnCallCalendar['read']>[0]): Promise<string> {
  if (from.kind === 'file') return readTextFile(from.path, bounds);
  if (from.kind === 'url') return fetchText(from.url, from.caFile, bounds);
  const url = await readSecret(from.url);
  log.hide(url);
  return fetchText(url, from.caFile, bounds);
}

interface Login {
  finish(...args: never): Promise<Principal>;
}

/** The same identity; whoever it verifies is noted with their groups. */
export function seeing<I extends Identity & { readonly logins: readonly Login[] }>(identity: I, seen: SeenGroups): I {
  const noted = async (verified: Promise<Principal>): Promise<Principal> => {
    const principal = await verified;
    seen.see(principal);
    return principal;
  };
  return {
    ...identity,
    authenticate: (token, need) => noted(identity.authenticate(token, need)),
    logins: identity.logins.map((login) => ({ ...login, finish: (...args: never) => noted(login.finish(...args)) })),
  };
}
