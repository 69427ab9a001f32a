/** What is told of a request: who, where, one sentence, until when, and the address of the page where it is decided (A9). */
import type { ApprovalView, DelegationView } from '#schemas/approval';
import type { NotifyAbout, NotifyField } from '#schemas/config';
import type { Approver, Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import type { Message, Named } from './parts.ts';
import { withoutLiterals } from '../sentence.ts';
import { minute, plain } from './text.ts';

const NAME_CHARS_MAX = 120;
const SUMMARY_CHARS_MAX = 500;
const NONE: Readonly<Record<NotifyField, string>> = {
  who: '',
  target: '',
  summary: '',
  expires: '',
  stage: '',
  outcome: '',
  by: '',
  to: '',
  codes: '',
  count: '1',
  id: '',
};

export interface Telling {
  readonly about: Exclude<NotifyAbout, 'delegated'>;
  readonly view: ApprovalView;
  /** Of `requested` and `escalated`. */
  readonly stage?: string;
  /** Of `settled` and `glass_reviewed`: what became of it. */
  readonly outcome?: string;
}

/** @param named whom the approvers are now; without it a reference names nobody */
export function messageOf({ about, view, stage, outcome = '' }: Telling, publicUrl: string, named: Named = itself): Message {
  const stages = view.requirement.stages.filter(({ id }) => stage === undefined || id === stage);
  const asked = stages.flatMap((one) => approversOf(about, one)).flatMap(named);
  const by = byWhom(about, view, outcome);
  const expires = about === 'glass_broken' ? (view.glass?.valid_until ?? view.expires_at) : view.expires_at;
  const fields = {
    ...NONE,
    who: nameOf(view.subject),
    target: name(view.target),
    // a message is a pointer (A9): what somebody typed between quotes stays here
    summary: plain(withoutLiterals(view.summary), SUMMARY_CHARS_MAX),
    expires: minute(expires),
    stage: stage === undefined ? '' : name(stage),
    outcome: name(outcome.replaceAll('_', ' ')),
    by: by === '' ? '' : ` by ${by}`,
    codes: plain([...new Set(view.reasons.map(({ code }) => code))].join(', '), NAME_CHARS_MAX),
    id: view.approval_id,
  };
  const url = `${publicUrl.replace(/\/+$/, '')}/approvals/${encodeURIComponent(view.approval_id)}`;
  return {
    about,
    fields,
    facts: factsOf(about, fields, stage),
    url,
    data: {
      approval_id: view.approval_id,
      url,
      who: fields.who,
      login: name(view.subject.properties.login),
      on_behalf_of: view.subject.properties.on_behalf_of === undefined ? null : name(view.subject.properties.on_behalf_of.login),
      target: fields.target,
      summary: fields.summary,
      expires_at: expires,
      stage: stage === undefined ? null : fields.stage,
      outcome: outcome === '' ? null : outcome,
      by: by === '' ? null : by,
    },
    route: { target: view.target, stages: stages.map(({ id }) => id), groups: asked.flatMap(groupOf) },
    audience: audienceOf(about, view, asked),
  };
}

export function delegationMessage(delegation: DelegationView, publicUrl: string): Message {
  const url = `${publicUrl.replace(/\/+$/, '')}/approvals`;
  const who = name(delegation.from);
  const to = name(delegation.to);
  const fields = { ...NONE, who, to, expires: minute(delegation.ends), id: delegation.delegation_id };
  return {
    about: 'delegated',
    fields,
    facts: [
      ['From', who],
      ['To', to],
      ['Starts', minute(delegation.starts)],
      ['Ends', minute(delegation.ends)],
    ],
    url,
    data: { delegation_id: delegation.delegation_id, url, who, to, starts: delegation.starts, ends: delegation.ends },
    route: { target: null, stages: [], groups: [] },
    audience: { approvers: [], logins: [delegation.to] },
  };
}

export function testMessage(channel: string, publicUrl: string): Message {
  const url = `${publicUrl.replace(/\/+$/, '')}/approvals`;
  return {
    about: 'test',
    fields: { ...NONE, id: channel },
    facts: [['Channel', name(channel)]],
    url,
    data: { channel, url },
    route: { target: null, stages: [], groups: [] },
    audience: { approvers: [], logins: [] },
  };
}

/** Many of one kind by one principal, in one message. */
export function gathered(messages: readonly Message[], publicUrl: string): Message {
  const first = messages[0] as Message;
  const url = `${publicUrl.replace(/\/+$/, '')}/approvals`;
  const targets = [...new Set(messages.map(({ fields }) => fields.target))].join(', ');
  const fields = { ...first.fields, count: String(messages.length), target: plain(targets, NAME_CHARS_MAX), summary: '', id: '' };
  return {
    about: first.about,
    fields,
    facts: [
      ['Asked by', fields.who],
      ['Target', fields.target],
      ['Requests', fields.count],
    ],
    url,
    data: { url, who: fields.who, target: fields.target, count: messages.length, approval_ids: messages.map(({ fields: { id } }) => id).join(' ') },
    route: first.route,
    audience: {
      approvers: distinct(messages.flatMap(({ audience }) => audience.approvers)),
      logins: [...new Set(messages.flatMap(({ audience }) => audience.logins))],
    },
  };
}

const itself: Named = (approver) => [approver];

function factsOf(about: NotifyAbout, fields: Message['fields'], stage: string | undefined): Message['facts'] {
  const open = about === 'requested' || about === 'escalated';
  return [
    ['Asked by', fields.who],
    ['Target', fields.target],
    ...(stage === undefined ? [] : [['Stage', fields.stage] as const]),
    ...(open ? [['Expires', fields.expires] as const] : []),
    ...(about === 'glass_broken' ? [['Valid until', fields.expires] as const] : []),
    ['Request', fields.id],
  ];
}

/** `agent refunds, for alice` */
function nameOf({ type, properties: { login, on_behalf_of: owner } }: Subject): string {
  return `${type === 'user' ? '' : `${type} `}${name(login)}${owner === undefined ? '' : `, for ${name(owner.login)}`}`;
}

function name(text: string): string {
  return plain(text, NAME_CHARS_MAX);
}

function byWhom(about: NotifyAbout, view: ApprovalView, outcome: string): string {
  if (about === 'glass_reviewed') return name(view.glass?.reviewed_by ?? '');
  if (about !== 'settled') return '';
  if (outcome === 'approved') return plain([...new Set(view.progress.flatMap(({ approved_by }) => approved_by))].join(', '), NAME_CHARS_MAX);
  if (outcome === 'denied') return name(view.denied_by ?? view.settled_by ?? '');
  return name(view.settled_by ?? '');
}

/** Once it escalated, with all whom it may have added: a message too many is better than one too few. */
function approversOf(about: NotifyAbout, stage: Stage): readonly Approver[] {
  return about === 'requested' ? stage.any_of : [...stage.any_of, ...(stage.escalate ?? []).flatMap(({ add }) => add)];
}

function groupOf(approver: Approver): readonly string[] {
  return 'group' in approver ? [approver.group] : [];
}

/** The requester is the human: an agent reads no mail. */
function audienceOf(about: NotifyAbout, view: ApprovalView, approvers: readonly Approver[]): Message['audience'] {
  const { login, on_behalf_of: owner } = view.subject.properties;
  const requester = owner?.login ?? login;
  switch (about) {
    case 'settled':
    case 'glass_reviewed':
      return { approvers: [], logins: [requester] };
    case 'requested':
    case 'escalated':
    case 'glass_broken':
    case 'delegated':
      return { approvers: distinct(approvers), logins: [] };
  }
}

function distinct(approvers: readonly Approver[]): readonly Approver[] {
  return [...new Map(approvers.map((one) => [JSON.stringify(one), one])).values()];
}
