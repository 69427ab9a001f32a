/** A question without a statement: judged by the packages of scope `access`, recorded as one event (ADR 0012). */
import type { Receipt } from '#client/approvals';
import { timestamp } from '#client/clock';
import { shown } from '#client/shown';
import type { Payload } from '#client/journal';
import type { AccessRequest } from '#schemas/access-request';
import type { Decision, Judgement } from '#schemas/decision';
import type { ApprovalContext } from '#schemas/decision-request';
import type { SqlFacts } from '#schemas/sql-facts';
import { canonical, digestOf } from './canonical.ts';
import { relevantContext } from './denials.ts';
import { type Asked, type Inquiry, POINT_SETTING } from './inquiry.ts';
import { ALL_OBLIGATIONS } from '#schemas/decision';

export function accessInquiry(asked: Asked): Inquiry {
  const { house, question, subject, point } = asked;
  const { journal, ids, judge } = house.parts;
  const evaluationId = ids.next('evt');
  const resource = `${question.resource.type}/${question.resource.id}`;
  const payload: Payload = { bytes: Buffer.from(wordsOf(asked)), media: 'text' };
  const record = async (judgement: Judgement, decision: boolean, receipt: Receipt | null): Promise<void> => {
    const { effect, reasons, revision } = judgement;
    const approval = receipt === null ? {} : { approval: { approval_id: receipt.approvalId, receipt: receipt.receipt } };
    const question = {
      question: { bytes: payload.bytes, media: 'params' as const },
      subject_detail: subject,
      action: asked.question.action.name,
      resource,
    };
    const said = { evaluation_id: evaluationId, enforcer: point.login, decision, effect, reasons, revision };
    await journal.durable(journal.append({ type: 'access.evaluated', subject: subject.id, ...said, ...question, ...approval }));
  };
  return {
    evaluationId,
    asked,
    judge: async (approval) => judge.access(requestOf(asked, evaluationId, approval)).judgement,
    draft: (judgement) => {
      if (judgement.approval === null) throw new Error('an approval without a requirement');
      return {
        subject,
        sessionId: '',
        statementId: evaluationId,
        target: resource,
        database: '',
        role: '',
        payload,
        params: null,
        settings: { [POINT_SETTING]: point.id },
        transaction: 'idle',
        objects: [],
        decision: decisionOf(judgement, evaluationId, payload),
        requirement: judgement.approval,
        facts: NO_FACTS,
        sentence: `${named(question.action.name)} on ${named(question.resource.type)} ${named(question.resource.id)}, as ${named(point.login)} asks`,
      };
    },
    held: () => {},
    refused: (judgement) => record(judgement, false, null),
    cleared: (judgement, receipt) => record(judgement, true, receipt),
  };
}

/** It is bound, so nothing is cut; and no name of others begins a line. */
function whole(text: string): string {
  return PLAIN.test(text) ? text : JSON.stringify(text);
}

const PLAIN = /^[\w.:/@-]+$/;

/** A name that others chose cannot go on as our sentence (A7). */
function named(text: string): string {
  const cut = text.length > NAME_CHARS_MAX ? `${text.slice(0, NAME_CHARS_MAX)}… (${text.length} characters)` : text;
  return PLAIN.test(text) && cut === text ? text : `"${shown(cut.replaceAll('"', '""'))}"`;
}

const NAME_CHARS_MAX = 128;

/** What a reviewer reads, and what an approval is bound to: all that was asked, without the moment. */
function wordsOf({ question, subject }: Asked): string {
  const { action, resource, context, subject: as } = question;
  const lines = [
    `${whole(action.name)} on ${whole(resource.type)} ${whole(resource.id)}`,
    `subject ${canonical({ type: as.type, id: subject.id, properties: as.properties })}`,
    `action ${canonical(action.properties)}`,
    `resource ${canonical(resource.properties)}`,
    `context ${canonical(relevantContext(context))}`,
  ];
  return lines.join('\n');
}

function requestOf({ house, question, point, subject }: Asked, evaluationId: string, approval: ApprovalContext | null): AccessRequest {
  const { supported_obligations: _said, ...given } = question.context;
  const properties = point.forOthers ? question.subject.properties : { ...subject.properties };
  return {
    stage: 'access',
    subject: { type: question.subject.type, id: subject.id, properties },
    action: question.action,
    resource: question.resource,
    context: {
      time: timestamp(house.clock.wallUs()),
      evaluation_id: evaluationId,
      enforcer: { id: point.id, login: point.login, groups: point.groups },
      supported_obligations: question.supported ?? ALL_OBLIGATIONS,
      given,
      ...(approval === null ? {} : { approval }),
    },
  };
}

function decisionOf(judgement: Judgement, evaluationId: string, payload: Payload): Decision {
  const { effect, reasons, obligations, approval, revision, shadow } = judgement;
  const digest = `sha256:${Buffer.from(digestOf(Buffer.from(payload.bytes).toString('utf8')), 'base64').toString('hex')}`;
  return {
    decision_id: evaluationId,
    effect,
    reasons,
    obligations,
    approval,
    revision,
    shadow,
    binding: { payload: digest, context: digest, expires_at: '' },
  };
}

const NO_FACTS: SqlFacts = {
  dialect: 'postgresql',
  parser: { name: 'none', major: 0 },
  parsed: false,
  statements: [],
  effects: [],
  session: [],
  params: [],
  opaque: [],
};
