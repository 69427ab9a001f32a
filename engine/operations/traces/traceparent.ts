/**
 * Whose trace a statement belongs to, by the comment that sqlcommenter appends to it. https://www.w3.org/TR/trace-context/#traceparent-header
 *
 *   SELECT 1 /*traceparent='00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'*\/
 *                           version  trace id (16 bytes)  parent span (8 bytes)  flags
 */

export interface TraceParent {
  readonly traceId: string;
  readonly spanId: string;
  readonly sampled: boolean;
}

/** Looked for in so many bytes at the end: what is further up is no comment of sqlcommenter's. */
const TAIL_BYTES = 512;
const COMMENT = /\/\*[^*]*traceparent='([^'*]{1,80})'[^*]*\*\/[\s;]*$/;

/** null: none, or none that is well-formed. */
export function traceParentOf(text: Uint8Array): TraceParent | null {
  const tail = Buffer.from(text.buffer, text.byteOffset + Math.max(0, text.length - TAIL_BYTES), Math.min(text.length, TAIL_BYTES));
  if (!tail.includes('traceparent=')) return null;
  const value = COMMENT.exec(tail.toString('latin1'))?.[1];
  return value === undefined ? null : parseTraceParent(value);
}

const FORM = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

export function parseTraceParent(value: string): TraceParent | null {
  const [, version = '', traceId = '', spanId = '', flags = '', more] = FORM.exec(value) ?? [];
  if (traceId === '' || version === 'ff' || (version === '00' && more !== undefined)) return null;
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return null;
  return { traceId, spanId, sampled: (Number.parseInt(flags, 16) & 1) === 1 };
}
