/**
 * What becomes of a server's answer under the obligations of a decision. Without masks it passes; with masks only JSON passes, masked: what is
 * not understood is refused, and what the server says in its own words is withheld (SECURITY §1.9).
 */
import { refusal, type Refusal } from '#enforcers/common/refusal';
import type { Obligation } from '#schemas/decision';
import type { RpcNotification, RpcOutcome } from './message.ts';
import { isObject, objectOf } from './protocol.ts';
import { maskerOf, type Masker } from './masker.ts';

export interface Answering {
  /** Something of it is masked: nothing that is not understood may pass. */
  readonly masks: boolean;
  answer(outcome: RpcOutcome): Answered;
  /** What of a notification may pass; null: nothing. */
  notification(notification: RpcNotification): RpcNotification | null;
}

export type Answered = { readonly masked: Readonly<Record<string, number>>; readonly bytes: number } & (
  | { readonly outcome: RpcOutcome }
  | { readonly refusal: Refusal }
);

/** `asked`: the address that the client asked for; null: for none. */
export function answering(method: string, obligations: readonly Obligation[], asked: string | null): Answering | Refusal {
  const masker = maskerOf(obligations);
  if (masker === null) return UNCHANGED;
  return 'refused' in masker ? masker : new MaskedAnswering(method, masker, asked);
}

const UNCHANGED: Answering = {
  masks: false,
  answer: (outcome) => ({ outcome, masked: {}, bytes: sizeOf(outcome) }),
  notification: (notification) => notification,
};

type Json = Readonly<Record<string, unknown>>;

/** What is left of a result where it says what it may say: nothing else of it is understood. */
const KEPT: Readonly<Record<string, (value: unknown) => boolean>> = {
  resultType: (value) => value === 'complete',
  ttlMs: (value) => typeof value === 'number',
  cacheScope: (value) => value === 'public' || value === 'private',
  isError: (value) => typeof value === 'boolean',
};

/** In the place of an address that the server chose, and that has room for a value. */
const WITHHELD_URI = 'urn:interlock:withheld';

class MaskedAnswering implements Answering {
  readonly masks = true;
  readonly #method: string;
  readonly #masker: Masker;
  readonly #asked: string | null;

  constructor(method: string, masker: Masker, asked: string | null) {
    this.#method = method;
    this.#asked = asked;
    this.#masker = masker;
  }

  answer(outcome: RpcOutcome): Answered {
    const made = this.#made(outcome);
    const { masked } = this.#masker;
    return made === null ? { refusal: unmaskable(), masked, bytes: 0 } : { outcome: made, masked, bytes: sizeOf(made) };
  }

  /** Numbers of progress pass; words do not. */
  notification({ kind, method, params, meta }: RpcNotification): RpcNotification | null {
    if (method === 'notifications/progress') {
      const { progressToken, progress, total } = params;
      return { kind, method, params: { progressToken, progress, ...(total === undefined ? {} : { total }) }, meta };
    }
    return method === 'notifications/message' ? null : { kind, method, params, meta };
  }

  #made(outcome: RpcOutcome): RpcOutcome | null {
    if (!outcome.ok)
      return { ok: false, error: { code: outcome.error.code, message: 'the server answered with an error; its words are withheld, as masks apply' } };
    const { result } = outcome;
    const kept = Object.fromEntries(Object.entries(KEPT).flatMap(([name, fits]) => (fits(result[name]) ? [[name, result[name]]] : [])));
    const made = this.#body(result);
    return made === null ? null : { ok: true, result: { ...kept, ...made } };
  }

  /** null: something of it is not understood. */
  #body(result: Json): Json | null {
    if (result['resultType'] === 'input_required') return null;
    switch (this.#method) {
      case 'tools/call':
        return this.#toolResult(result);
      case 'resources/read':
        return listOf('contents', result, (one) => this.#contents(one));
      case 'prompts/get':
        return listOf('messages', result, (one) => this.#prompt(one));
      default:
        return this.#whole(result);
    }
  }

  #toolResult(result: Json): Json | null {
    const { content, structuredContent, isError } = result;
    const structured = structuredContent === undefined ? undefined : this.#value(structuredContent);
    if (structured === null) return null;
    const own = structured === undefined ? null : JSON.stringify(structured.value);
    const items = listOf('content', { content: content ?? [] }, (one) => this.#content(one, own, isError === true));
    if (items === null) return null;
    return structured === undefined ? items : { ...items, structuredContent: structured.value };
  }

  /** `own`: what the structured content reads as; it may stand in the place of words. */
  #content(item: Json, own: string | null, failed: boolean): Json | null {
    const { type, text, resource } = item;
    if (type === 'resource') {
      const contents = this.#contents(objectOf(resource));
      return contents === null ? null : { type, resource: contents };
    }
    if (type !== 'text' || typeof text !== 'string') return null;
    const masked = this.#document(text);
    if (masked !== null) return { type, text: masked };
    if (own !== null) return { type, text: own };
    return failed ? { type, text: 'The tool failed; its words are withheld, as masks apply.' } : null;
  }

  #contents({ uri, mimeType, text }: Json): Json | null {
    const masked = typeof text === 'string' ? this.#document(text) : null;
    if (masked === null) return null;
    const shown = uri === this.#asked || isPlace(uri) ? uri : WITHHELD_URI;
    return { uri: shown, ...(isType(mimeType) ? { mimeType } : {}), text: masked };
  }

  #prompt({ role, content }: Json): Json | null {
    const masked = isObject(content) ? this.#content(content, null, false) : null;
    return masked === null ? null : { role, content: masked };
  }

  #whole(result: Json): Json | null {
    const masked = this.#value({ ...result, _meta: {} });
    return masked === null || !isObject(masked.value) ? null : masked.value;
  }

  #value(value: unknown): { readonly value: unknown } | null {
    const masked = this.#masker.document(JSON.stringify(value));
    return masked === null ? null : { value: JSON.parse(masked) as unknown };
  }

  /** Only a list or an object: a lone text is a document too, and holds whatever its author wrote. */
  #document(text: string): string | null {
    const first = text.trimStart()[0];
    return first === '{' || first === '[' ? this.#masker.document(text) : null;
  }
}

/** An address without room for a value: a path of words and short numbers. */
function isPlace(uri: unknown): boolean {
  return typeof uri === 'string' && /^[a-z][a-z0-9+.-]{0,31}:[A-Za-z0-9_./~-]{0,512}$/.test(uri) && !/[0-9](?:[_./~-]?[0-9]){3}/.test(uri);
}

function isType(mimeType: unknown): boolean {
  return typeof mimeType === 'string' && /^[a-z]{1,16}\/[a-z][a-z0-9.+-]{0,127}$/i.test(mimeType) && !/[0-9]{4}/.test(mimeType.replaceAll('-', ''));
}

function listOf(name: string, result: Json, each: (item: Json) => Json | null): Json | null {
  const list = result[name];
  if (!Array.isArray(list)) return null;
  const made = list.map((item) => (isObject(item) ? each(item) : null));
  return made.includes(null) ? null : { [name]: made };
}

function unmaskable(): Refusal {
  return refusal('ANSWER_UNMASKABLE', 'the answer holds something that masks cannot be put on, so it is refused whole', { by: 'policy' });
}

function sizeOf(outcome: RpcOutcome): number {
  return Buffer.byteLength(JSON.stringify(outcome.ok ? outcome.result : outcome.error), 'utf8');
}
