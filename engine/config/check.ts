/** Holds a YAML document against a JSON Schema of ours and says every mistake in one plain sentence, with its place. */
import { type Document, isAlias, isMap, isScalar, isSeq, type Node } from 'yaml';
import type { Findings } from './places.ts';
import { nearest } from './nearest.ts';
import { SecretRef } from '#schemas/config';

/** The part of JSON Schema that schemas/config.ts uses; a keyword outside it does not type-check there. */
export interface Schema {
  readonly type?: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly title?: string;
  readonly const?: string | number;
  readonly enum?: readonly (string | number)[];
  readonly anyOf?: readonly Schema[];
  readonly pattern?: string;
  readonly minLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly items?: Schema;
  readonly minItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: false | Schema;
  readonly minProperties?: number;
  readonly maxProperties?: number;
  readonly propertyNames?: { readonly pattern: string; readonly title: string };
}

interface Place {
  readonly document: Document;
  readonly findings: Findings;
  readonly path: string;
  /** Of the key, for what is missing below it. */
  readonly offset: number;
}

export function checkNode(node: unknown, schema: Schema, place: Place): void {
  const value = isAlias(node) ? node.resolve(place.document) : (node as Node | null);
  place.findings.place(place.path, place.offset);
  if (isSecret(schema) && !isMap(value)) return inlineSecret(value, place);
  const branch = schema.anyOf === undefined ? schema : branchFor(value, schema.anyOf);
  if (branch.properties !== undefined || branch.additionalProperties !== undefined) return checkMap(value, branch, place);
  if (branch.type === 'array') return checkList(value, branch, place);
  checkScalar(value, schema.anyOf === undefined ? branch : { ...branch, title: schema.anyOf.map(allowed).join(' or ') }, place);
}

function checkMap(node: unknown, schema: Schema, place: Place): void {
  if (!isMap(node)) return wrong(node, schema, place);
  const known = Object.keys(schema.properties ?? {});
  const present: string[] = [];
  for (const pair of node.items) {
    const key = isScalar(pair.key) ? String(pair.key.value) : '?';
    const offset = offsetOf(pair.key, place.offset);
    const path = place.path === '' ? key : `${place.path}.${key}`;
    const child = schema.properties !== undefined && Object.hasOwn(schema.properties, key) ? schema.properties[key] : schema.additionalProperties;
    present.push(key);
    if (child === undefined || child === false) place.findings.add(offset, path, unknownKey(key, known));
    else if (schema.propertyNames !== undefined && !new RegExp(schema.propertyNames.pattern).test(key))
      place.findings.add(offset, path, `found the name ${quote(key)}; allowed: ${schema.propertyNames.title}`);
    else checkNode(pair.value, child, { ...place, path, offset });
  }
  const missing = (schema.required ?? []).filter((key) => !present.includes(key));
  if (missing.length > 0) place.findings.add(place.offset, place.path, `${missing.map((key) => `\`${key}\``).join(', ')} missing`);
  else checkCount(node.items.length, schema, known, place);
}

function checkCount(count: number, schema: Schema, known: readonly string[], place: Place): void {
  const tooFew = schema.minProperties !== undefined && count < schema.minProperties;
  const tooMany = schema.maxProperties !== undefined && count > schema.maxProperties;
  if (!tooFew && !tooMany) return;
  const what = schema.maxProperties === 1 ? `exactly one of ${known.map((key) => `\`${key}\``).join(', ')}` : allowed(schema);
  place.findings.add(place.offset, place.path, `found ${count === 0 ? 'an empty map' : `${count} keys`}; allowed: ${what}`);
}

function checkList(node: unknown, schema: Schema, place: Place): void {
  if (!isSeq(node)) return wrong(node, schema, place);
  if (node.items.length < (schema.minItems ?? 0))
    place.findings.add(offsetOf(node, place.offset), place.path, 'found an empty list; at least one entry is needed');
  node.items.forEach((item, index) =>
    checkNode(item, schema.items ?? {}, { ...place, path: `${place.path}[${index}]`, offset: offsetOf(item, place.offset) }),
  );
}

function checkScalar(node: unknown, schema: Schema, place: Place): void {
  if (!isScalar(node) || !fits(node.value, schema)) wrong(node, schema, place);
}

function fits(value: unknown, schema: Schema): boolean {
  if (schema.const !== undefined) return value === schema.const;
  if (schema.enum !== undefined) return (typeof value === 'string' || typeof value === 'number') && schema.enum.includes(value);
  if (schema.type === 'boolean') return typeof value === 'boolean';
  if (schema.type === 'integer')
    return Number.isInteger(value) && (value as number) >= (schema.minimum ?? -Infinity) && (value as number) <= (schema.maximum ?? Infinity);
  if (typeof value !== 'string' || value.length < (schema.minLength ?? 0)) return false;
  return schema.pattern === undefined || new RegExp(schema.pattern).test(value);
}

/** The branch that a value of this kind can only have meant. */
function branchFor(node: unknown, branches: readonly Schema[]): Schema {
  const wanted = isMap(node) ? 'object' : isSeq(node) ? 'array' : undefined;
  return (
    branches.find((branch) => (wanted === undefined ? branch.type !== 'object' && branch.type !== 'array' : branch.type === wanted)) ??
    (branches[0] as Schema)
  );
}

function isSecret(schema: Schema): boolean {
  return schema.properties === SecretRef.properties;
}

/** Says where the secret stands and what to write instead, never the secret. */
function inlineSecret(node: unknown, place: Place): void {
  const text = isScalar(node) && typeof node.value === 'string' ? node.value : '';
  const name = /^\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?$/.exec(text)?.[1];
  const instead =
    name === undefined ? '`{ file: PATH }`, `{ env: NAME }` or `{ exec: [PROGRAM, …] }`' : `\`{ env: ${name} }\` (variables are not expanded)`;
  const found = isScalar(node) && node.value !== null ? 'a secret stands here in clear' : `found ${kind(node)}`;
  place.findings.add(offsetOf(node, place.offset), place.path, `${found}; refer to it instead: ${instead}`, isScalar(node) && node.value !== null);
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = nearest(key, known);
  const question = meant === null ? '' : ` (did you mean \`${meant}\`?)`;
  return `unknown key${question}; allowed here: ${known.join(', ')}`;
}

function wrong(node: unknown, schema: Schema, place: Place): void {
  const words = schema.enum?.filter((word) => typeof word === 'string');
  const meant = words !== undefined && isScalar(node) && typeof node.value === 'string' ? nearest(node.value, words) : null;
  const question = meant === null ? '' : ` (did you mean \`${meant}\`?)`;
  place.findings.add(offsetOf(node, place.offset), place.path, `found ${kind(node)}${question}; allowed: ${allowed(schema)}`);
}

function allowed(schema: Schema): string {
  if (schema.title !== undefined) return schema.title;
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum !== undefined) return schema.enum.join(', ');
  if (schema.type === 'boolean') return 'true or false';
  if (schema.type === 'object') return schema.properties === undefined ? 'a map' : `a map with ${Object.keys(schema.properties).join(', ')}`;
  return schema.type === 'array' ? 'a list' : `a ${schema.type ?? 'value'}`;
}

function kind(node: unknown): string {
  if (isMap(node)) return 'a map';
  if (isSeq(node)) return 'a list';
  if (!isScalar(node) || node.value === null) return 'nothing';
  return typeof node.value === 'string' ? quote(node.value) : `\`${JSON.stringify(node.value)}\``;
}

const SHOWN = 80;

/** What stood there, shortened, and without the credential of an address that was put in a wrong place. */
function quote(value: string): string {
  const safe = value.replace(/(:\/\/)[^/\s]*@/g, '$1…@').replace(/\bpassword=\S+/gi, 'password=…');
  return `\`${safe.length > SHOWN ? `${safe.slice(0, SHOWN)}…` : safe}\``;
}

function offsetOf(node: unknown, otherwise: number): number {
  return (node as Node | null | undefined)?.range?.[0] ?? otherwise;
}
