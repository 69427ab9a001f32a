/** An event as a CloudEvent 1.0 in JSON: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md */
import type { Event } from '#schemas/event';

export interface CloudEvent {
  readonly specversion: '1.0';
  /** Unique within `source`: `SEQ.INDEX`. */
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly time: string;
  readonly datacontenttype: 'application/json';
  /** What it is about, most particular first. */
  readonly subject?: string;
  /** Extension (documented in the spec): sorts as text as the journal does. */
  readonly sequence: string;
  /** Extension (distributed tracing). */
  readonly traceid?: string;
  /** The event, with `payloads` where they are present. */
  readonly data: Event;
}

const SEQUENCE_DIGITS = 16;
const INDEX_DIGITS = 4;

export function cloudEvent(event: Event): CloudEvent {
  const { journal, seq, index, type, time, statement_id, session_id, trace_id } = event;
  const approval = 'approval_id' in event ? event.approval_id : undefined;
  const subject = statement_id ?? approval ?? session_id;
  return {
    specversion: '1.0',
    id: `${seq}.${index}`,
    source: `urn:interlock:journal:${journal}`,
    type: `dev.interlock.${type}`,
    time,
    datacontenttype: 'application/json',
    ...(subject === undefined || subject === '' ? {} : { subject }),
    sequence: `${String(seq).padStart(SEQUENCE_DIGITS, '0')}.${String(index).padStart(INDEX_DIGITS, '0')}`,
    ...(trace_id === undefined || trace_id === '' ? {} : { traceid: trace_id }),
    data: event,
  };
}
