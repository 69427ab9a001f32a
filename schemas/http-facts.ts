/** What is known of an HTTP request. The same frame as all facts: total, and what is missing is named in `opaque`. */
import type { Static } from 'typebox';
import { Effect, Opaque } from './sql-facts.ts';

const Texts = { type: 'array', items: { type: 'string' } } as const;
/** Name → values, in order. */
const Multi = { type: 'object', additionalProperties: Texts } as const;

/** What the target's description (an OpenAPI document or a table of routes) says of the request. */
export const HttpOperation = {
  type: 'object',
  additionalProperties: false,
  required: ['id', 'route', 'tags', 'class'],
  properties: {
    /** `operationId`, or `GET /orders/{id}` where it has none. */
    id: { type: 'string' },
    /** `/orders/{id}` */
    route: { type: 'string' },
    tags: Texts,
    /** By method, or as the description says (`x-interlock-class`). */
    class: { enum: ['read', 'write', 'delete', 'admin'] },
  },
} as const;
export type HttpOperation = Static<typeof HttpOperation>;

/** A field or a file of a `multipart/form-data` body. */
export const HttpPart = {
  type: 'object',
  additionalProperties: false,
  required: ['name', 'filename', 'kind', 'media', 'bytes', 'sha256'],
  properties: {
    name: { type: 'string' },
    /** null: a field. As it was sent: never with `..`, nor from the root. */
    filename: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    /** By what it says it is: nobody looked into a file. */
    kind: { enum: ['json', 'text', 'binary'] },
    /** Without parameters, in lower case; empty: none. */
    media: { type: 'string' },
    bytes: { type: 'integer', minimum: 0 },
    /** Of the content, in hexadecimal: what lists of files name. */
    sha256: { type: 'string', pattern: '^[0-9a-f]{64}$' },
    /** Of a field of text. */
    text: { type: 'string' },
    /** Of JSON, in a field or a file. */
    json: {},
  },
} as const;
export type HttpPart = Static<typeof HttpPart>;

export const HttpBody = {
  type: 'object',
  additionalProperties: false,
  required: ['kind', 'media', 'bytes', 'keys'],
  properties: {
    kind: { enum: ['none', 'json', 'form', 'multipart', 'text', 'binary'] },
    /** `application/json`: without parameters, in lower case; empty: none. */
    media: { type: 'string' },
    bytes: { type: 'integer', minimum: 0 },
    /** The whole document of a JSON body, or the fields of a form as lists of texts (of a multipart one, also of JSON); absent otherwise. */
    json: {},
    /** Of a multipart body: every part, in order; absent otherwise. */
    parts: { type: 'array', items: HttpPart },
    /** Every key at every depth in lower case, once each: some servers match keys without regard to case (H5). Of a JSON Patch also the names in its pointers. */
    keys: Texts,
  },
} as const;
export type HttpBody = Static<typeof HttpBody>;

export const GraphqlField = {
  type: 'object',
  additionalProperties: false,
  required: ['type', 'field', 'path', 'arguments'],
  properties: {
    /** Of the schema, where one is known; else `Query`, `Mutation`, `Subscription` or `?`. */
    type: { type: 'string' },
    field: { type: 'string' },
    /** Where it stands in the answer: `$.data.customer.x`, lists as `[*]`. */
    path: { type: 'string' },
    /** Literals and variables, as JSON. */
    arguments: { type: 'object', additionalProperties: {} },
  },
} as const;
export type GraphqlField = Static<typeof GraphqlField>;

/** Of the one operation that would run, with fragments expanded and variables filled in. */
export const GraphqlFacts = {
  type: 'object',
  additionalProperties: false,
  required: ['operation', 'name', 'fields', 'depth', 'introspection'],
  properties: {
    operation: { enum: ['query', 'mutation', 'subscription'] },
    name: { anyOf: [{ type: 'string' }, { type: 'null' }] },
    fields: { type: 'array', items: GraphqlField },
    depth: { type: 'integer', minimum: 0 },
    introspection: { type: 'boolean' },
  },
} as const;
export type GraphqlFacts = Static<typeof GraphqlFacts>;

/** A named field of the answer: masks name `Customer.ssn`, and this says where in the answer that stands. */
export const ResponseField = {
  type: 'object',
  additionalProperties: false,
  required: ['field', 'path'],
  properties: {
    /** `Customer.ssn`: schema and property. */
    field: { type: 'string' },
    /** `$.items[*].customer.ssn` */
    path: { type: 'string' },
  },
} as const;
export type ResponseField = Static<typeof ResponseField>;

export const HttpFacts = {
  type: 'object',
  additionalProperties: false,
  required: ['dialect', 'parsed', 'method', 'path', 'segments', 'operation', 'params', 'query', 'headers', 'body', 'effects', 'opaque'],
  properties: {
    dialect: { const: 'http' },
    /** false: `opaque` says why, and nothing else counts. */
    parsed: { type: 'boolean' },
    method: { type: 'string' },
    /** Canonical, and exactly as it goes to the target; without the query. */
    path: { type: 'string' },
    /** Of the path, decoded: what policies match on (H2). */
    segments: Texts,
    /** null: the description has no such operation. */
    operation: { anyOf: [HttpOperation, { type: 'null' }] },
    /** Of the route: decoded segments by name. */
    params: { type: 'object', additionalProperties: { type: 'string' } },
    query: Multi,
    /** In lower case; those that go to the target as asked for, without the incidental ones (HTTP_INCIDENTAL). */
    headers: Multi,
    body: HttpBody,
    /** `websocket`: the request asks for another protocol. */
    upgrade: { type: 'string' },
    graphql: GraphqlFacts,
    /** Complete; absent: what is answered is not described, and a mask on a named field is refused. */
    output: { type: 'array', items: ResponseField },
    effects: { type: 'array', items: Effect },
    opaque: { type: 'array', items: Opaque },
  },
} as const;
export type HttpFacts = Static<typeof HttpFacts>;
