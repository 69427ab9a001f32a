/** The serving half of the composition: what the API answers from, plugged together from parts that know nothing of each other. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '#client/clock';
import type { Identity, Principal } from '#client/identity';
import type { ApprovalView } from '#schemas/approval';
import { InterlockError } from '#schemas/errors';
import type { Event } from '#schemas/event';
import type { Access } from './journal/projection/projection.ts';
import type { Projection as ProjectionService, ProjectionChange } from './journal/projection/projection.ts';
import type {
  ApiParts,
  Change,
  Delegations,
  LoginParts,
  Notifications,
  OperationsPart,
  Projection,
  Reader,
  ReviewBook,
  Status,
  Viewed,
} from './api/parts.ts';
import type { Enrolment } from './enrolment/parts.ts';
import type { Operations } from './operations/operations.ts';
import type { AuthzenParts } from './api/authzen/parts.ts';
import type { ApprovalBook } from './approvals/approvals.ts';
import { reviewText } from './approvals/text/text.ts';
import type { Live } from './base.ts';
import type { LoadedConfig } from './config/config.ts';
import type { FileJournal } from './journal/file-journal.ts';
import { followJournal } from './journal/reader.ts';

export interface ServingFrom {
  readonly config: LoadedConfig;
  readonly live: Live;
  readonly clock: Clock;
  readonly version: string;
  readonly identity: Identity;
  readonly current: (principal: Principal) => Principal;
  readonly journal: FileJournal;
  readonly login: LoginParts;
  readonly changes: Changes;
  readonly status: () => Status;
  readonly operations: OperationsPart;
  /** null while the gateway starts. */
  readonly book: () => ApprovalBook | null;
  readonly projection: ProjectionService | null;
  readonly authzen: AuthzenParts;
  readonly delegations: Delegations | null;
  readonly notifications: () => Notifications | null;
  readonly agents: NonNullable<ApiParts['agents']>;
  readonly assistant: NonNullable<ApiParts['assistant']>;
  /** Of an engine that takes enforcers of their own. */
  readonly enrolment?: () => Enrolment | null;
  /** False: nobody has this session. */
  readonly terminate: (sessionId: string) => Promise<boolean>;
}

/** Who is told of changes: a part may begin to tell after the API began to listen. */
export class Changes {
  readonly #listeners = new Set<(change: Change) => void>();
  readonly #approvals = new Set<Parameters<ReviewBook['onChange']>[0]>();

  tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }

  /** From now on what this book tells is passed on. */
  follow(book: Pick<ApprovalBook, 'onChange'>): () => void {
    return book.onChange((change) => {
      for (const listener of this.#approvals) listener(change);
    });
  }

  /** Requests are told by the book itself. */
  projected({ kind, id, state, session_id, owners }: ProjectionChange): void {
    if (kind === 'approval') return;
    this.tell({ live: { kind, id, state, ...(session_id === undefined ? {} : { session_id }) }, owners });
  }

  on(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onApproval(listener: Parameters<ReviewBook['onChange']>[0]): () => void {
    this.#approvals.add(listener);
    return () => this.#approvals.delete(listener);
  }
}

export function apiParts(from: ServingFrom): ApiParts {
  const { config, journal, projection } = from;
  return {
    identity: from.identity,
    current: (principal) => from.current(principal),
    readers: config.api.readers,
    admins: config.api.admins,
    get enrolment() {
      return from.enrolment?.() ?? null;
    },
    agents: from.agents,
    assistant: from.assistant,
    approvals: reviewBook(from),
    events: ({ follow, signal, since, journal: other = '' }) => {
      const from = since === undefined ? {} : { since };
      if (other === '') return follow ? journal.follow(signal, from) : journal.events(from);
      const archive = join(config.stateDir, 'archive');
      if (typeof other === 'string') return followJournal(join(archive, other), { ...from, follow, signal });
      return everywhere(journal, archive, signal);
    },
    status: () => from.status(),
    operations: from.operations,
    viewed: (by, what) => viewed(journal, by, what),
    endSession: async (id, by) => {
      const position = journal.append({
        type: 'admin.changed',
        by: by.subject.properties.login,
        subject: by.subject.id,
        what: 'session.end',
        before: id,
        after: 'terminated',
      });
      await journal.durable(position);
      return await from.terminate(id);
    },
    projection: projection === null ? null : projected(projection),
    onChange: (listener) => from.changes.on(listener),
    reviewText: (approval) => reviewText({ ...reviewInput(approval), message: isMessage(from.live.config, approval) }),
    delegations: from.delegations,
    get notifications() {
      return from.notifications();
    },
    login: from.login,
    authzen: from.authzen,
    version: from.version,
    get targets() {
      return Object.fromEntries(Object.values(from.live.config.targets).map(({ name, env }) => [name, env]));
    },
  };
}

/** What the API shows of the operations. */
export function watched(operations: Operations, revision: () => string): OperationsPart {
  return {
    answer: (asked) => operations.answer(asked),
    enforcers: () => ({ items: [...operations.reports()], revision: revision() }),
  };
}

function reviewBook({ book: find, changes }: ServingFrom): ReviewBook {
  const book = (): ApprovalBook => {
    const found = find();
    if (found === null) throw new InterlockError('APPROVAL_UNAVAILABLE', 'the gateway is still starting');
    return found;
  };
  return {
    page: (filter, paging) => book().page(filter, paging),
    hear: async (id) => await book().hear(id),
    show: (id) => book().show(id),
    verdict: async (id, verdict) => await book().verdict(id, verdict),
    cancel: async (id, act) => await book().cancel(id, act),
    withdraw: async (id, act) => await book().withdraw(id, act),
    breakGlass: async (id, act) => await book().breakGlass(id, act),
    review: async (id, review) => await book().review(id, review),
    abilities: (id, reader) => book().abilities(id, reader),
    concerns: async (id, reader) => await book().concerns(id, reader),
    story: (id) => book().story(id),
    onChange: (listener) => changes.onApproval(listener),
  };
}

/** The own journal, and then those of the archive; the own one is there as well. */
async function* everywhere(journal: FileJournal, archive: string, signal: AbortSignal): AsyncGenerator<Event> {
  yield* journal.events();
  const entries = await readdir(archive, { withFileTypes: true }).catch(() => []); // without an archive there is none
  for (const { name } of entries.filter((entry) => entry.isDirectory() && entry.name !== journal.id))
    yield* followJournal(join(archive, name), { follow: false, signal });
}

async function viewed(journal: FileJournal, by: Principal, what: Viewed): Promise<void> {
  const who = { by: by.subject.properties.login, subject: by.subject.id };
  const position =
    'approvalId' in what
      ? journal.append({ type: 'approval.viewed', ...who, approval_id: what.approvalId })
      : journal.append({ type: 'recording.viewed', ...who, ...('sessionId' in what ? { session_id: what.sessionId } : {}) });
  await journal.durable(position);
}

/** What is not kept in clear is no text at all, and cannot be approved. */
/** What its target speaks says how its text is read; a target that is gone spoke SQL, unless its text says otherwise: then it has other colours, and is all there. */
function isMessage({ targets }: LoadedConfig, { target }: ApprovalView): boolean {
  const protocol = Object.hasOwn(targets, target) ? targets[target]?.protocol : undefined;
  return protocol === 'http' || protocol === 'mcp';
}

function reviewInput({
  payload_text: text,
  payload_digest: digest,
  binding,
  params,
  param_types: paramTypes,
}: ApprovalView): Parameters<typeof reviewText>[0] {
  return {
    text: text === '' ? null : Buffer.from(text),
    digest: digest ?? binding.payload,
    ...(params === undefined ? {} : { params }),
    ...(paramTypes === undefined ? {} : { paramTypes }),
  };
}

function projected(projection: ProjectionService): Projection {
  return {
    sessions: (query, reader) => projection.sessions({ ...query, access: accessOf(reader) }),
    session: (id, reader) => projection.session(id, accessOf(reader)),
    timeline: (id, paged, reader) => projection.timeline({ session_id: id, ...paged, access: accessOf(reader) }),
    beginOf: (id, reader) => projection.rangeOf(id, accessOf(reader)),
    search: (query, reader) => projection.search({ ...query, access: accessOf(reader) }),
    sessionSoFar: async ({ session_id, statement_id }, limit) =>
      session_id === undefined || statement_id === undefined ? [] : await projection.sessionSoFar({ session_id, before: statement_id, limit }),
    earlierLike: ({ approval_id }, limit, reader) => projection.earlierLike({ approval_id, limit, access: accessOf(reader) }),
  };
}

const ASKED_MAX = 250;

function accessOf({ all, principal }: Reader): Access {
  if (all) return { all: true };
  const { id, properties } = principal.subject;
  const asked = { groups: properties.groups.slice(0, ASKED_MAX), users: [properties.login, id] };
  return { all: false, subjects: [id], ...(principal.scopes.includes('approve') ? { asked } : {}) };
}
