/** Splits a psql script into statements: good enough for PostgreSQL's regression suite, whose other half are psql's own commands. */

/** Statements as psql would send them; backslash commands and data of COPY are left out. */
export function statementsOf(script: string): string[] {
  const statements: string[] = [];
  let current = '';
  let depth = 0;
  let atomic = 0;
  let at = 0;
  while (at < script.length) {
    const rest = script.slice(at, at + 64);
    const quoted = quotedAt(script, at);
    if (quoted > 0) {
      current += script.slice(at, at + quoted);
      at += quoted;
      continue;
    }
    const command = /^\\[^\n]*/.exec(rest) ? /\\[^\n]*/y : null;
    if (command !== null) {
      command.lastIndex = at;
      const text = command.exec(script)?.[0] ?? '';
      at += text.length;
      // \g and its kin send what stands before them
      if (/^\\(g|crosstabview|watch|bind)/.test(text)) current = push(statements, current);
      else if (/^\\(r|reset|if|elif|else|endif|quit|q|c|connect)\b/.test(text)) current = '';
      continue;
    }
    const word = /^[a-z_][a-z0-9_]*/i.exec(rest)?.[0];
    if (word !== undefined) {
      if (/^atomic$/i.test(word) && /begin\s+$/i.test(current)) atomic += 1;
      else if (atomic > 0 && /^case$/i.test(word)) atomic += 1;
      else if (atomic > 0 && /^end$/i.test(word)) atomic -= 1;
      current += word;
      at += word.length;
      continue;
    }
    const character = script[at] ?? '';
    at += 1;
    if (character === '(') depth += 1;
    if (character === ')') depth = Math.max(0, depth - 1);
    if (character !== ';' || depth > 0 || atomic > 0) {
      current += character;
      continue;
    }
    const copies = /^\s*copy\b[^;]*\bfrom\s+stdin\b/i.test(current.replaceAll(/--[^\n]*\n/g, ' '));
    current = push(statements, current);
    if (copies) at = afterData(script, at);
  }
  push(statements, current);
  return statements;
}

function push(statements: string[], text: string): '' {
  if (text.trim() !== '') statements.push(text.trim());
  return '';
}

/** Length of the string, identifier, dollar quote or comment that starts here; 0: none. */
function quotedAt(script: string, at: number): number {
  const two = script.slice(at, at + 2);
  if (two === '--') return endOf(script, '\n', at + 2) - at;
  if (two === '/*') return comment(script, at);
  const character = script[at];
  if (character === '"') return closing(script, at, '"', false);
  if (character === "'") return closing(script, at, "'", /(^|[^a-z0-9_])e$/i.test(script.slice(Math.max(0, at - 2), at)));
  const tag = character === '$' ? /^\$([a-z_][a-z0-9_]*)?\$/i.exec(script.slice(at, at + 70))?.[0] : undefined;
  return tag === undefined ? 0 : endOf(script, tag, at + tag.length) - at;
}

function endOf(script: string, mark: string, from: number): number {
  const found = script.indexOf(mark, from);
  return found < 0 ? script.length : found + mark.length;
}

function closing(script: string, start: number, quote: string, escapes: boolean): number {
  for (let at = start + 1; at < script.length; at += 1) {
    if (escapes && script[at] === '\\') at += 1;
    else if (script[at] === quote) {
      if (script[at + 1] !== quote) return at + 1 - start;
      at += 1;
    }
  }
  return script.length - start;
}

function comment(script: string, start: number): number {
  let depth = 0;
  for (let at = start; at < script.length; at += 1) {
    const two = script.slice(at, at + 2);
    if (two === '/*') depth += 1;
    if (two === '*/') depth -= 1;
    if (two === '/*' || two === '*/') at += 1;
    if (depth === 0) return at + 1 - start;
  }
  return script.length - start;
}

function afterData(script: string, at: number): number {
  const end = /^\\\.\s*$/m.exec(script.slice(at));
  return end === null ? at : at + end.index + end[0].length;
}
