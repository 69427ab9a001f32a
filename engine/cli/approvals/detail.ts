/** One request on a terminal, in the order in which a reviewer asks: who, where, what it does, what exactly, who decides, and how. */
import type { ApprovalView } from '#schemas/approval';
import type { RequestPage } from '#schemas/review';
import { escapeName, escapeShown, escapeText, warnings } from '../escape.ts';
import { reviewLines } from '../review.ts';
import { field } from '../sheet.ts';

/** Words of others in a page have their marks already (`shown`); everything is escaped here once more, its marks kept. */
export function pageLines({ approval, text, story, can, earlier }: RequestPage, width: number): readonly string[] {
  const line = (label: string, shown: string): readonly string[] => field(label, shown, width);
  const acts = can.filter(({ allowed }) => allowed).map(({ act }) => act.replace('_', '-'));
  return [
    ...head(approval, width),
    ...reviewLines(text, width),
    ...lookalikes(approval.payload_text),
    ...estimateLines(approval, width),
    ...approval.progress.flatMap((stage) => stageLines(stage, width)),
    ...ends(approval, width),
    ...earlier.slice(0, 3).flatMap((one) => line('earlier', `${one.state}: ${escapeShown(one.summary)} (${one.approval_id})`)),
    ...story.flatMap((one) =>
      line(
        when(one.time, approval.requested_at),
        `${one.who === undefined ? '' : `${escapeShown(one.who)} `}${escapeShown(one.what)}${said(one.comment)}`,
      ),
    ),
    ...line('you may', acts.length === 0 ? 'only look at it' : acts.join(', ')),
    ...(acts.includes('approve')
      ? line('to decide', `interlock approvals approve ${approval.approval_id} --seen ${text.digest_prefix} --token-file FILE`)
      : []),
  ];
}

/** What a verb answers: how it stands now. */
export function standing(view: ApprovalView, width: number): readonly string[] {
  return [title(view), ...view.progress.flatMap((stage) => stageLines(stage, width)), ...ends(view, width)];
}

/** `2026-11-23 10:00 UTC` */
export function minute(time: string): string {
  return `${time.slice(0, 16).replace('T', ' ')} UTC`;
}

/** `in 23h`: how long there still is, rounded down. */
export function until(time: string, nowMs: number = Date.now()): string {
  const minutes = Math.floor((Date.parse(time) - nowMs) / 60_000);
  if (!(minutes >= 1)) return 'now';
  return minutes < 60 ? `in ${minutes}m` : `in ${Math.floor(minutes / 60)}h`;
}

/** The time of day; on another day than the request, that day. */
function when(time: string, requested: string): string {
  return time.slice(0, 10) === requested.slice(0, 10) ? time.slice(11, 16) : time.slice(0, 10);
}

/** Words whose letters may not be what they seem; what cannot be seen at all, the text's own warnings name. */
function lookalikes(text: string): readonly string[] {
  return warnings(text)
    .filter((note) => !note.startsWith('invisible'))
    .map((note) => `  ! ${note}`);
}

function title(view: ApprovalView): string {
  const by = view.denied_by ?? view.settled_by;
  return `${view.approval_id} is ${view.state.replace('_', ' ')}${by === undefined ? '' : ` by ${escapeName(by)}`}`;
}

function head(view: ApprovalView, width: number): readonly string[] {
  const { login, groups, on_behalf_of: owner } = view.subject.properties;
  const { binding } = view;
  const line = (label: string, shown: string): readonly string[] => field(label, shown, width);
  const behalf = owner === undefined ? '' : ` for ${escapeName(owner.login)}`;
  const settings = settingsSaid(binding);
  return [
    title(view),
    ...line(
      'asked by',
      `${view.subject.type} ${escapeName(login)} (${groups.map(escapeName).join(', ') || 'no groups'})${behalf} at ${minute(view.requested_at)}`,
    ),
    ...line('target', placeSaid(view)),
    ...(settings === '' ? [] : line('under', escapeText(settings))),
    ...line('does', escapeShown(view.summary)),
    ...view.reasons.flatMap(({ code, reason }) => line('because', escapeShown(`${code}: ${reason}`))),
    ...(view.binding.shape === undefined ? [] : line('grants', 'this and every statement of the same shape with other values, in this session')),
  ];
}

/** An API and an MCP server have no database, and no transaction. */
function placeSaid({ target, binding: { database, role, transaction } }: ApprovalView): string {
  if (database === '') return escapeName(target);
  return `${escapeName(target)}, database ${escapeName(database)}, role ${escapeName(role)}, ${TRANSACTION[transaction] ?? ''}`;
}

function estimateLines({ estimate, row_ceiling: ceiling, plan_text: plan }: ApprovalView, width: number): readonly string[] {
  const rows =
    estimate?.rows === undefined
      ? (estimate?.detail ?? estimate?.state)
      : `about ${Math.round(estimate.rows).toLocaleString('en')} row${Math.round(estimate.rows) === 1 ? '' : 's'}`;
  return [
    ...(estimate === undefined
      ? []
      : field('estimate', escapeText(`${rows}${ceiling == null ? '' : `; more than ${ceiling} are rolled back`}`), width)),
    ...(plan === undefined
      ? []
      : plan
          .split('\n')
          .slice(0, PLAN_LINES_MAX)
          .flatMap((line) => field('', escapeShown(line), width))),
  ];
}

const PLAN_LINES_MAX = 30;

function stageLines(
  { stage, approved_by, denied_by = [], needed, asks = [], state, escalates_at, denies_at }: ApprovalView['progress'][number],
  width: number,
): readonly string[] {
  const said = [
    `${escapeText(stage)}: ${approved_by.length} of ${needed} (${asks.map(escapeName).join(', ')})`,
    ...(approved_by.length === 0 ? [] : [`approved by ${approved_by.map(escapeName).join(', ')}`]),
    ...(denied_by.length === 0 ? [] : [`denied by ${denied_by.map(escapeName).join(', ')}`]),
    ...(state === 'waiting' ? ['asked after the ones before'] : []),
    ...(escalates_at === undefined ? [] : [`asks more people from ${minute(escalates_at)}`]),
    ...(denies_at === undefined ? [] : [`denied at ${minute(denies_at)}`]),
  ];
  return field('stage', said.join(', '), width);
}

function ends(view: ApprovalView, width: number): readonly string[] {
  const line = (label: string, shown: string): readonly string[] => field(label, shown, width);
  const { glass } = view;
  return [
    ...line(view.state === 'open' ? 'expires' : 'open until', minute(view.expires_at)),
    ...(view.valid_until === undefined
      ? []
      : line('runs until', `${minute(view.valid_until)}, used ${view.uses} of ${view.requirement.grant.uses ?? 'any number of'} times`)),
    ...(glass === undefined
      ? []
      : line(
          'glass',
          `broken by ${escapeName(glass.by)} (rule ${escapeText(glass.rule)}), the review is ${glass.review}: ${escapeShown(glass.reason.replaceAll('\n', ' ⏎ '))}`,
        )),
    ...(view.comment === undefined ? [] : line('comment', escapeShown(view.comment.replaceAll('\n', ' ⏎ ')))),
    ...(view.detail === undefined ? [] : line('closed', escapeShown(view.detail))),
    ...(view.supersedes === undefined ? [] : line('in place of', escapeText(view.supersedes))),
    ...(view.follows === undefined ? [] : line('answers', `${escapeText(view.follows)}, for which changes were asked`)),
    ...(view.followed_by === undefined ? [] : line('answered by', escapeText(view.followed_by))),
    ...(view.executions ?? []).flatMap(({ statement_id, outcome, rows }) =>
      line(
        'ran',
        `${escapeText(statement_id)}: ${outcome}${rows === undefined ? '' : `, ${rows} rows`}${outcome === 'unknown' ? ': look at the target; it is not run again' : ''}`,
      ),
    ),
  ];
}

function said(comment: string | undefined): string {
  return comment === undefined ? '' : `: ${escapeShown(comment.replaceAll('\n', ' ⏎ '))}`;
}

const TRANSACTION: Readonly<Record<string, string>> = {
  idle: 'not in a transaction',
  fresh: 'first in its transaction',
  open: 'in a transaction that did work',
};

function settingsSaid({ settings, role }: ApprovalView['binding']): string {
  const usual: Readonly<Record<string, string>> = { ...USUAL, session_authorization: role };
  return Object.entries(settings)
    .filter(([name, value]) => value !== '' && usual[name] !== value)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

/** Not worth a word. */
const USUAL: Readonly<Record<string, string>> = {
  role: 'none',
  row_security: 'on',
  session_replication_role: 'origin',
  default_transaction_read_only: 'off',
};
