/** Whether two runs of the same case gave the client the same. */
import type { Exchange } from './exchange.ts';
import { fields, type Answer, type Message } from './wire.ts';

/** Of the connection, not of what was asked. */
const ASIDE = new Set(['S', 'K', 'R', 'v', 'N']);
/** Ids that differ from one refusal to the next. */
const IDS = /\b(dec|apr|stm|ses)_[0-9A-Z]{26}\b/g;

/** The first difference in rows, tags, types or SQLSTATE; null: the same. */
export function firstDifference(one: Exchange, other: Exchange): string | null {
  if (one.refusedAtStart || other.refusedAtStart) return one.refusedAtStart && other.refusedAtStart ? null : 'one start-up was refused';
  for (let index = 0; index < Math.max(one.steps.length, other.steps.length); index++) {
    const left = lines(one.steps[index]?.answer);
    const right = lines(other.steps[index]?.answer);
    for (let at = 0; at < Math.max(left.length, right.length); at++) {
      if (left[at] !== right[at]) return `step ${index + 1}: ${left[at] ?? 'nothing'} instead of ${right[at] ?? 'nothing'}`;
    }
  }
  return null;
}

/** Every byte of the answers but the ids in them: for runs on twin databases, which nothing may tell apart. */
export function sameBytes(one: Exchange, other: Exchange): boolean {
  const text = ({ steps }: Exchange): string => steps.map(({ answer }) => answer.bytes.toString('latin1').replaceAll(IDS, 'id')).join();
  return text(one) === text(other);
}

function lines(answer: Answer | undefined): string[] {
  if (!answer) return [];
  const shown = answer.messages.filter(({ type }) => !ASIDE.has(type)).map(line);
  return answer.closed ? [...shown, 'the end of the connection'] : answer.hung ? [...shown, 'no answer in time'] : shown;
}

function line(message: Message): string {
  if (message.type !== 'E') return `${message.type} ${message.body.toString('latin1')}`;
  const field = fields(message);
  return `E ${field.get('C') ?? ''}${(field.get('D') ?? '').includes('code=') ? ` (${field.get('M') ?? ''})` : ''}`;
}
