/**
 * What the request side (this folder) asks of the response side (`response/`): what becomes of the target's answer under the obligations of a
 * decision. `response/answering.ts` exports `answering: OpenAnswering` and `ANSWER_OBLIGATIONS`, the obligations that it fulfils, as
 * `supported_obligations` spells them. All of it is synchronous and total; bodies pass chunk by chunk, and what is kept of them is bounded.
 */
import type { Refusal } from '#enforcers/common/refusal';
import type { Obligation } from '#schemas/decision';
import type { HttpFacts } from '#schemas/http-facts';

/** Names in lower case, in order, without what belongs to one connection (`connection`, `transfer-encoding`, `keep-alive`, trailers). */
export type HeaderList = readonly (readonly [name: string, value: string])[];

export interface AnswerHead {
  /** 200 … 599; interim answers never come here. */
  readonly status: number;
  /** `content-length` stands here if the target said it; leaving it out of what goes to the client means: until the end, chunked. */
  readonly headers: HeaderList;
  /** No body follows, whatever the headers say: HEAD, 204, 304. */
  readonly bodiless: boolean;
}

/** Called once for each cleared request, before its first byte leaves. A refusal: the masks cannot be done for this request at all. */
export type OpenAnswering = (request: AnsweredRequest) => Answering | Refusal;

export interface AnsweredRequest {
  readonly facts: HttpFacts;
  readonly obligations: readonly Obligation[];
}

export interface Answering {
  /** Headers of the request that do not leave (`range`, `if-none-match` … where the answer is changed); in lower case. */
  readonly withheld: ReadonlySet<string>;
  /** Headers of the request that are set instead of what the client said (`accept`); in lower case. */
  readonly set: HeaderList;
  /** The head of the answer is there. A refusal is answered instead of it, and the target's answer is dropped (the connection too). */
  head(head: AnswerHead): AnswerPlan | Refusal;
}

export interface AnswerPlan {
  /** As it goes to the client. */
  readonly head: AnswerHead;
  /** null: the body passes byte for byte (a body that must not pass is a refusal). */
  readonly body: BodyTransform | null;
}

/** One answer's body. Once something was refused, neither is called again. */
export interface BodyTransform {
  /** What may leave now; the bytes handed over are not kept. A refusal after the head has left ends the client's stream as broken. */
  push(chunk: Uint8Array): readonly Uint8Array[] | Refusal;
  /** The target's answer is complete. */
  end(): readonly Uint8Array[] | Refusal;
  /** How often each named field or path was masked, for the record; read after the end. */
  readonly masked: Readonly<Record<string, number>>;
}
