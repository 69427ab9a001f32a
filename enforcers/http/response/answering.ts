/**
 * What becomes of a target's answer under the obligations of a decision (SECURITY H6, H8). Without masks it passes byte for byte. With masks:
 * only JSON, lines of JSON and events of JSON pass, masked; what the target's own errors say is replaced; anything else is refused.
 */
import { refusal, type Refusal } from '#enforcers/common/refusal';
import type { Answering, AnswerHead, AnswerPlan, BodyTransform, HeaderList, OpenAnswering } from '../answer.ts';
import { keptHeaders, valuesOf } from './answer-headers.ts';
import { EncodedMask, type Masker } from './encoded.ts';
import { EventMask } from './event-mask.ts';
import { JsonMask } from '#enforcers/common/json-mask/json-mask';
import { MaskFault } from '#enforcers/common/json-mask/mask-fault';
import { masksOf } from '#enforcers/common/json-mask/masks-of';
import { encodingOf, kindOf, type AnswerKind } from './media.ts';
import { Places } from '#enforcers/common/json-mask/places';
import { Replacement } from './replacement.ts';

/** What this side fulfils, as `supported_obligations` spells it. */
export const ANSWER_OBLIGATIONS: readonly string[] = ['mask', 'mask.paths'];

export const answering: OpenAnswering = (request) => {
  const masks = masksOf(request);
  if (masks === null) return UNCHANGED;
  if (!(masks instanceof Places)) return masks;
  const { upgrade, method } = request.facts;
  if (upgrade !== undefined) return refusal('UNSUPPORTED', `masked values may be in it: no switch to ${upgrade} is allowed`);
  return masked(masks, method === 'GET' || method === 'HEAD');
};

const UNCHANGED: Answering = { withheld: new Set(), set: [], head: (head) => ({ head, body: null }) };

/** What makes an answer a part of one, or none at all because the client has it. Of other methods these are conditions for a write. */
const CONDITIONS: ReadonlySet<string> = new Set(['range', 'if-range', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since']);
const RANGES: ReadonlySet<string> = new Set(['range', 'if-range']);
const EMPTY = ['content-length', '0'] as const;
const PLAIN: HeaderList = [['accept-encoding', 'identity']];

function masked(masks: Places, reads: boolean): Answering {
  return { withheld: reads ? CONDITIONS : RANGES, set: PLAIN, head: (head) => planOf(head, masks) };
}

function planOf(head: AnswerHead, masks: Places): AnswerPlan | Refusal {
  const { status } = head;
  if (status >= 500) return replaced(head);
  if (status === 206 || status === 304) return unreadable(`it is a part of an answer, or none (${status}), which was not asked for`);
  if (status >= 300 && status < 400) return unreadable(`it refers to another place (${status})`);
  const headers = keptHeaders(head.headers);
  if (head.bodiless) return { head: { status, headers, bodiless: true }, body: null };
  const lengths = valuesOf(head.headers, 'content-length');
  if (lengths.length === 1 && lengths[0] === '0') return { head: { status, headers: [...headers, EMPTY], bodiless: false }, body: null };
  const kind = kindOf(valuesOf(head.headers, 'content-type'));
  const encoding = encodingOf(valuesOf(head.headers, 'content-encoding'));
  if (kind === null || encoding === null) {
    if (status >= 400) return replaced(head);
    return unreadable(kind === null ? 'it is neither JSON nor a stream of JSON' : 'its content-encoding is not known');
  }
  const inner = maskerOf(kind, masks);
  return { head: { status, headers, bodiless: false }, body: new Masked(encoding === 'identity' ? inner : new EncodedMask(inner, encoding)) };
}

function maskerOf(kind: AnswerKind, masks: Places): Masker {
  switch (kind) {
    case 'json':
      return new JsonMask(masks.root, { lines: false, nested: 0 });
    case 'lines':
      return new JsonMask(masks.line, { lines: true, nested: 0 });
    case 'events':
      return new EventMask(masks.line);
  }
}

/** Errors of the target say what they like: its words stay here, its status does not. */
function replaced({ status, headers, bodiless }: AnswerHead): AnswerPlan {
  const instead = new Replacement(status);
  const kept = keptHeaders(headers).filter(([name]) => name !== 'content-type' && name !== 'content-language');
  if (bodiless) return { head: { status, headers: kept, bodiless }, body: null };
  return { head: { status, headers: [...kept, ...instead.headers], bodiless }, body: instead };
}

class Masked implements BodyTransform {
  readonly #masker: Masker;

  constructor(masker: Masker) {
    this.#masker = masker;
  }

  push(chunk: Uint8Array): readonly Uint8Array[] | Refusal {
    return passed(() => this.#masker.push(chunk));
  }

  end(): readonly Uint8Array[] | Refusal {
    return passed(() => this.#masker.end());
  }

  get masked(): Readonly<Record<string, number>> {
    return this.#masker.counts;
  }
}

function passed(produce: () => Buffer): readonly Uint8Array[] | Refusal {
  try {
    const bytes = produce();
    return bytes.length === 0 ? NOTHING : [bytes];
  } catch (error) {
    if (error instanceof MaskFault) return unreadable(error.message);
    throw error;
  }
}

const NOTHING: readonly Uint8Array[] = [];

function unreadable(why: string): Refusal {
  return refusal('ANSWER_UNMASKABLE', `masked values may be in the target's answer, and it cannot be masked: ${why}`);
}
