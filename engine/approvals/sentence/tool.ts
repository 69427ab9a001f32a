/** A request of MCP in one sentence: ``calls the tool `refund` with amount = 100``; what an argument is itself, is told too. */
import type { ArgumentFacts, McpFacts } from '#schemas/mcp-facts';
import { documentSaid } from './document.ts';
import { name, ticked } from './names.ts';
import { requestSaid } from './request.ts';
import { summarise, withoutQuoted } from './summary.ts';

export function toolSaid(facts: McpFacts, literals: boolean): string {
  if (!facts.parsed) return `cannot be understood (${unseen(facts, literals)}): nothing is known of what it does`;
  const hidden = facts.opaque.length === 0 ? '' : `a part cannot be seen (${unseen(facts, literals)}): `;
  const given = documentSaid(facts.arguments, literals);
  const said = given === '' || given === '{}' ? '' : ` with ${given}`;
  return [`${hidden}${calls(facts)}${said}`, ...facts.nested.map((one) => nestedSaid(one, literals))].join('; ');
}

function calls({ method, tool, uri, prompt }: McpFacts): string {
  if (tool !== null) return `calls the tool ${name(tool.name)}`;
  if (uri !== null) return `reads the resource ${ticked(uri)}`;
  if (prompt !== null) return `gets the prompt ${name(prompt)}`;
  return `sends ${ticked(method)}`;
}

function unseen({ opaque }: McpFacts, literals: boolean): string {
  return opaque.map(({ detail }) => ticked(literals ? detail : withoutQuoted(detail))).join('; ') || 'no reason given';
}

function nestedSaid({ argument, target, sql, url, path }: ArgumentFacts, literals: boolean): string {
  const where = `its ${ticked(argument)}`;
  if (sql !== undefined) return `${where}${target === undefined ? '' : ` on ${ticked(target)}`}: ${summarise(sql, literals)}`;
  if (url !== undefined) return `${where} ${requestSaid(url, literals)}`;
  if (path !== undefined) return `${where} is ${ticked(path.canonical)}${path.inside ? '' : ', outside of its root'}`;
  return `${where} cannot be seen into`;
}
