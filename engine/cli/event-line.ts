import type { Subject } from '#schemas/decision-request';
import type { Event } from '#schemas/event';
import { escapeShown, escapeText } from './escape.ts';

/** One event on one line for people; `--json` has all of it. */
export function eventLine(event: Event): string {
  const who = event.subject === undefined ? '' : ` ${event.subject.split('|').at(-1) ?? ''}`;
  const where = [event.target, event.statement_id ?? event.session_id].filter((one) => one !== undefined).join(' ');
  // the sentence of a request was made safe before it was written
  const escape = event.type === 'approval.requested' ? escapeShown : escapeText;
  return `${String(event.seq).padStart(6)} ${event.time.slice(0, 23)} ${event.type.padEnd(18)} ${escape(`${where}${who} ${gist(event)}`.trim())}`;
}

function gist(event: Event): string {
  switch (event.type) {
    case 'session.opened':
      return `${whoOf(event.subject_detail.properties)} from ${event.client.address}`;
    case 'session.refused':
    case 'policy.rejected':
      return event.code;
    case 'session.closed':
      return `${event.reason}, ${event.statements} statements`;
    case 'statement.received':
      return `${event.action}, ${event.payload.bytes} bytes`;
    case 'statement.decided':
      return `${event.decision.effect}: ${event.decision.reasons.map(({ policy, code }) => `${policy} ${code}`).join(', ')}`;
    case 'statement.held':
      return event.approval_id;
    case 'statement.refused':
      return `${event.code} by ${event.by}`;
    case 'statement.cleared':
      return event.approval === undefined ? event.obligations.join(', ') : `under ${event.approval.approval_id}`;
    case 'statement.finished':
      return `${event.outcome}${event.tag === undefined ? '' : ` ${event.tag}`}${event.sqlstate === undefined ? '' : ` ${event.sqlstate}`}, ${event.bytes} bytes, ${event.duration_us} us`;
    case 'approval.requested':
      return `${event.approval_id}: ${event.summary}`;
    case 'approval.verdict':
      return `${event.approval_id}: ${event.outcome} by ${event.reviewer.properties.login}`;
    case 'approval.settled':
      return `${event.approval_id}: ${event.outcome}`;
    case 'approval.consumed':
    case 'approval.escalated':
      return event.approval_id;
    case 'approval.glass_broken':
      return `${event.approval_id} by ${event.by.properties.login}, until ${event.valid_until}`;
    case 'approval.glass_reviewed':
      return `${event.approval_id}: ${event.outcome}, by ${event.by.properties.login}`;
    case 'delegation.opened':
      return `${event.delegation_id}: ${event.from.properties.login} to ${event.to}, ${event.starts} to ${event.ends}`;
    case 'delegation.ended':
      return `${event.delegation_id} by ${event.by}`;
    case 'notification.sent':
      return `${event.notification_id}: ${event.about} to ${event.channel}, ${event.outcome} after ${event.tries}`;
    case 'approval.viewed':
      return `${event.approval_id} by ${event.by}`;
    case 'recording.viewed':
      return `by ${event.by}`;
    case 'access.evaluated':
      return `${event.effect}: ${event.action} on ${event.resource}, asked by ${event.enforcer}`;
    case 'policy.activated':
      return event.revision;
    case 'journal.opened':
      return `version ${event.version}, ${event.recovered.records} records recovered`;
    case 'journal.closed':
      return event.reason;
    case 'checkpoint.signed':
      return `size ${event.size}`;
    case 'archive.alarm':
      return `${event.open ? '' : 'ended: '}${event.code}${event.of === undefined ? '' : ` of ${event.of}`}: ${event.detail}`;
    case 'enforcer.invited':
      return `${event.enforcer} for ${event.targets.join(', ')} by ${event.by}, until ${event.expires_at}`;
    case 'enforcer.joined':
    case 'enforcer.renewed':
      return `${event.enforcer}, certificate until ${event.not_after}`;
    case 'enforcer.removed':
      return `${event.enforcer} by ${event.by}`;
    case 'agent.added':
      return `${event.agent} of ${event.record.owner.login} for ${event.record.targets.join(', ')} by ${event.by}`;
    case 'agent.rotated':
    case 'agent.renewed':
    case 'agent.removed':
      return `${event.agent} by ${event.by}`;
    case 'agent.issuer':
      return `key ${event.issuer}`;
    case 'agent.cooled':
      return `${event.agent} after ${event.denials} denials, until ${event.until}`;
    case 'admin.changed':
      return `${event.what} by ${event.by}`;
  }
}

/** With the human behind an agent. */
function whoOf({ groups, on_behalf_of: human }: Subject['properties']): string {
  return `(${groups.join(', ')})${human === undefined ? '' : ` for ${human.login}`}`;
}
