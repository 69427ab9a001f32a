/** Whose rows a reader may see, as a part of each query (SECURITY N6): a term of the index, and again a condition on the row itself. */
import type { SQLInputValue } from 'node:sqlite';
import { InterlockError } from '#schemas/errors';
import type { Access } from './projection.ts';
import { oneOf, term } from './terms.ts';

export interface Readable {
  /** For the index; null: everything. */
  readonly match: string | null;
  readonly where: readonly string[];
  readonly values: readonly SQLInputValue[];
}

const EVERYTHING: Readable = { match: null, where: [], values: [] };
const SUBJECTS_MAX = 64;
const ASKED_MAX = 256;

const OWN = `(session.subject IN (SELECT value FROM json_each(?)) OR session.behalf IN (SELECT value FROM json_each(?)))`;
const ASKED = `EXISTS (
  SELECT 1 FROM approval JOIN approval_asked AS whom ON whom.approval = approval.id
  WHERE approval.approval_id = row.approval_id AND ((whom.kind = 'group' AND whom.name IN (SELECT value FROM json_each(?)))
    OR (whom.kind = 'user' AND whom.name IN (SELECT value FROM json_each(?)))))`;

/** Conditions on `row`, a session. */
export function readableSessions(access: Access): Readable {
  if (access.all) return EVERYTHING;
  const subjects = JSON.stringify(access.subjects);
  return { match: oneOf(ownTerms(access.subjects)), where: [OWN.replaceAll('session.', 'row.')], values: [subjects, subjects] };
}

/** Conditions on `row`, a statement, and its `session`. */
export function readableStatements(access: Access): Readable {
  if (access.all) return EVERYTHING;
  const { groups, users } = asked(access);
  const subjects = JSON.stringify(access.subjects);
  const terms = [...ownTerms(access.subjects), ...groups.map((name) => term('asked group', name)), ...users.map((name) => term('asked user', name))];
  return { match: oneOf(terms), where: [`(${OWN} OR ${ASKED})`], values: [subjects, subjects, JSON.stringify(groups), JSON.stringify(users)] };
}

/** Conditions on `row`, a request. */
export function readableApprovals(access: Access): Readable {
  if (access.all) return EVERYTHING;
  const { groups, users } = asked(access);
  const subjects = JSON.stringify(access.subjects);
  return {
    match: null,
    where: [`(${OWN.replaceAll('session.', 'row.')} OR ${ASKED})`],
    values: [subjects, subjects, JSON.stringify(groups), JSON.stringify(users)],
  };
}

function ownTerms(subjects: readonly string[]): string[] {
  if (subjects.length > SUBJECTS_MAX) throw new InterlockError('INTERNAL', `a reader with more than ${SUBJECTS_MAX} subjects`);
  return subjects.flatMap((id) => [term('subject', id), term('behalf', id)]);
}

/** Past the bound the rest is not shown. */
function asked(access: Exclude<Access, { all: true }>): { readonly groups: readonly string[]; readonly users: readonly string[] } {
  const { groups = [], users = [] } = access.asked ?? {};
  return { groups: groups.slice(0, ASKED_MAX), users: users.slice(0, SUBJECTS_MAX) };
}
