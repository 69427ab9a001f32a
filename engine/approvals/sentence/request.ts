/** An HTTP request in one sentence: ``calls `createRefund` (POST /v1/refunds) with amount = 100, customer = 'c_1'``. */
import { grouped } from '#client/shown';
import type { HttpFacts } from '#schemas/http-facts';
import { documentSaid } from './document.ts';
import { joined, name, ticked } from './names.ts';
import { withoutQuoted } from './summary.ts';
import { literal } from './words.ts';

export function requestSaid(facts: HttpFacts, literals: boolean): string {
  const { method, path, operation } = facts;
  if (!facts.parsed) return `cannot be understood (${unseen(facts, literals)}): nothing is known of what it does`;
  const hidden = facts.opaque.length === 0 ? '' : `a part cannot be seen (${unseen(facts, literals)}): `;
  const line = `${ticked(method)} ${ticked(path)}`;
  const calls = operation === null || operation.id === `${method} ${operation.route}` ? `sends ${line}` : `calls ${name(operation.id)} (${line})`;
  const details = [querySaid(facts, literals), bodySaid(facts, literals)].filter((part) => part !== '');
  return `${hidden}${calls}${details.length === 0 ? '' : ` with ${details.join('; ')}`}`;
}

function unseen({ opaque }: HttpFacts, literals: boolean): string {
  return opaque.map(({ detail }) => ticked(literals ? detail : withoutQuoted(detail))).join('; ') || 'no reason given';
}

function querySaid({ query }: HttpFacts, literals: boolean): string {
  const pairs = Object.entries(query).flatMap(([key, values]) => values.map((value) => `${ticked(key)} = ${literals ? literal(value) : '…'}`));
  return pairs.length === 0 ? '' : `query ${pairs.join(', ')}`;
}

function bodySaid({ body, graphql }: HttpFacts, literals: boolean): string {
  if (graphql !== undefined) return graphqlSaid(graphql, literals);
  if (body.kind === 'none') return '';
  if (body.kind === 'json' || body.kind === 'form') return documentSaid(body.json, literals);
  if (body.kind === 'multipart') return partsSaid(body, literals);
  return `a body of ${grouped(body.bytes)} bytes of ${ticked(body.media === '' ? 'no type' : body.media)}`;
}

/** Fields as those of a form, and each file by name, size and type. */
function partsSaid({ json, parts = [] }: HttpFacts['body'], literals: boolean): string {
  const fields = Object.keys(json as object).length === 0 ? '' : documentSaid(json, literals);
  const files = parts.filter(({ filename }) => filename !== null);
  const said = files.slice(0, FIELDS_MAX).map(({ name: field, filename, bytes, media }) => {
    const called = literals ? ` ${ticked(filename ?? '')}` : '';
    return `${ticked(field)} = a file${called} of ${grouped(bytes)} bytes of ${ticked(media === '' ? 'no type' : media)}`;
  });
  if (files.length > said.length) said.push(`${grouped(files.length - said.length)} more files`);
  return [fields, ...said].filter((text) => text !== '').join(', ');
}

const FIELDS_MAX = 12;

function graphqlSaid({ operation, fields }: NonNullable<HttpFacts['graphql']>, literals: boolean): string {
  const said = fields.slice(0, FIELDS_MAX).map(({ type, field, arguments: given }) => {
    const inside = documentSaid(given, literals);
    return `${name(`${type}.${field}`)}${inside === '' || inside === '{}' ? '' : ` (${inside})`}`;
  });
  const more = fields.length - said.length;
  return `the ${operation} of ${more > 0 ? `${said.join(', ')} and ${grouped(more)} more fields` : joined(said)}`;
}
