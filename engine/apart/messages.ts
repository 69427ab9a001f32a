/** Questions and answers as they stand on the wire: JSON, held against `schemas/apart.ts` by whoever reads it. */
import { Compile } from 'typebox/compile';
import type { Static } from 'typebox';
import { ENFORCER_CALLS, ENGINE_CALLS } from '#schemas/apart';
import { InterlockError } from '#schemas/errors';
import type { CallContext, Caller, CallHandler, CallOptions } from '../channel/parts.ts';

const CALLS = { ...ENGINE_CALLS, ...ENFORCER_CALLS };
export type Method = keyof typeof CALLS;
export type Question<M extends Method> = Static<(typeof CALLS)[M]['question']>;
export type Answer<M extends Method> = Static<(typeof CALLS)[M]['answer']>;

/** What may be asked of this side, and how it is answered. */
export type Answering<M extends Method> = { readonly [K in M]: (question: Question<K>, context: CallContext) => Answer<K> | Promise<Answer<K>> };

/** @throws InterlockError what the other side answers; CHANNEL_PROTOCOL when its answer is none; and what the channel itself throws */
export async function ask<M extends Method>(
  caller: Pick<Caller, 'call'>,
  method: M,
  question: Question<M>,
  options: CallOptions,
): Promise<Answer<M>> {
  return FORMS[method].answer.read(await caller.call(method, encode(question), options)) as Answer<M>;
}

/** What is not of its form is refused before a handler sees it. */
export function handlersOf<M extends Method>(answering: Answering<M>): Record<M, CallHandler> {
  const methods = Object.keys(answering) as M[];
  return Object.fromEntries(methods.map((method) => [method, handlerOf(method, answering)])) as Record<M, CallHandler>;
}

function handlerOf<M extends Method>(method: M, answering: Answering<M>): CallHandler {
  return async (payload, context) => encode(await answering[method](FORMS[method].question.read(payload) as Question<M>, context));
}

export function encode(message: object): Uint8Array {
  return Buffer.from(JSON.stringify(message));
}

/** One form of message. */
export interface Form<T> {
  /** @throws InterlockError CHANNEL_PROTOCOL */
  read(bytes: Uint8Array): T;
}

export function form<const S extends object>(schema: S, what: string): Form<Static<S>> {
  // compiled when it is first needed: an enforcer answers little, and an engine asks little
  let check: { Check(value: unknown): boolean } | null = null;
  return {
    read: (bytes) => {
      const value = parse(bytes, what);
      check ??= Compile(tolerant(schema) as never);
      if (!check.Check(value)) throw new InterlockError('CHANNEL_PROTOCOL', `${what} is not of its form`);
      return value as Static<S>;
    },
  };
}

const FORMS = Object.fromEntries(
  Object.entries(CALLS).map(([method, { question, answer }]) => [
    method,
    { question: form(question, `the question ${method}`), answer: form(answer, `the answer to ${method}`) },
  ]),
) as Record<Method, { readonly question: Form<unknown>; readonly answer: Form<unknown> }>;

function parse(bytes: Uint8Array, what: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8'));
  } catch (error) {
    throw new InterlockError('CHANNEL_PROTOCOL', `${what} is not JSON`, { cause: error });
  }
}

/** A key that a newer version added is passed over: both ends of a rolling upgrade understand each other. */
function tolerant(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(tolerant);
  if (typeof schema !== 'object' || schema === null) return schema;
  const kept = Object.entries(schema).filter(([key, value]) => !(key === 'additionalProperties' && value === false));
  return Object.fromEntries(kept.map(([key, value]) => [key, tolerant(value)]));
}
