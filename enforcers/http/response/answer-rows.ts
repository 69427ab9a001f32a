/**
 * How many rows an answer holds, for the ceilings of agents (README.md "Rows"): counted while it passes, in memory of one size. Only where somebody is
 * counted at all.
 */
import { JsonRows } from '#enforcers/common/json-rows';
import type { AnswerHead } from '../answer.ts';
import { valuesOf } from './answer-headers.ts';
import { EventRows } from './event-rows.ts';
import { encodingOf, kindOf } from './media.ts';

export interface AnswerRows {
  push(bytes: Uint8Array): void;
  readonly rows: number;
}

/** null: nothing of it counts (an error of the target, no body). */
export function answerRows({ status, headers, bodiless }: AnswerHead): AnswerRows | null {
  if (bodiless || status >= 400) return null;
  const types = valuesOf(headers, 'content-type');
  if (encodingOf(valuesOf(headers, 'content-encoding')) !== 'identity') return new SizeRows();
  switch (kindOf(types)) {
    case 'json':
    case 'lines':
      return new JsonRows();
    case 'events':
      return new EventRows();
    case null:
      return ofWords((types[0] ?? '').split(';')[0]?.trim().toLowerCase() ?? '');
  }
}

function ofWords(media: string): AnswerRows {
  if (LINES.has(media)) return new LineRows();
  return WHOLE.test(media) ? new OneRow() : new SizeRows();
}

const LINES: ReadonlySet<string> = new Set(['text/plain', 'text/csv', 'text/tab-separated-values']);
const WHOLE = /^(?:image|audio|video|font)\/|^application\/(?:octet-stream|pdf|zip|gzip|wasm)$/;

class LineRows implements AnswerRows {
  #lines = 0;
  /** The last line has not ended. */
  #open = false;

  push(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    for (let at = bytes.indexOf(LF); at >= 0; at = bytes.indexOf(LF, at + 1)) this.#lines++;
    this.#open = bytes[bytes.length - 1] !== LF;
  }

  get rows(): number {
    return this.#lines + (this.#open ? 1 : 0);
  }
}

class OneRow implements AnswerRows {
  rows = 0;

  push(bytes: Uint8Array): void {
    if (bytes.length > 0) this.rows = 1;
  }
}

/** What is not understood: a row for each KiB that was begun, so that asking for another form is no way round a ceiling. */
class SizeRows implements AnswerRows {
  #bytes = 0;

  push(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
  }

  get rows(): number {
    return Math.ceil(this.#bytes / ROW_BYTES);
  }
}

const LF = 0x0a;
const ROW_BYTES = 1024;
