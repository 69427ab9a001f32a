/**
 * SQL without its literals: string and bit constants, dollar quotes, numbers and comments, each replaced by `?` or left out. It reads tokens
 * as PostgreSQL does with standard_conforming_strings on, which the gateway pins; what does not end is dropped to the end.
 * https://www.postgresql.org/docs/current/sql-syntax-lexical.html
 */
export function redactSql(sql: string): string {
  let redacted = '';
  let at = 0;
  while (at < sql.length) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(sql)?.[0] ?? (sql[at] as string);
    const [shown, end] = redactToken(sql, at, token);
    redacted += shown;
    at = end;
  }
  return redacted;
}

/** Sticky, one alternative a token, none nested: linear. */
const TOKEN =
  /--[^\n\r]*|\/\*|[eE]'|[uU]&'|[bBxXnN]?'|"|\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\$\d+|\.?\d[\w.]*|[^]/y;

function redactToken(sql: string, at: number, token: string): readonly [shown: string, end: number] {
  const after = at + token.length;
  if (token.startsWith('--')) return ['', after];
  if (token === '/*') return [' ', commentEnd(sql, after)];
  if (token.endsWith("'")) return ["'?'", quoteEnd(sql, after, "'", /^e/i.test(token))];
  if (token === '"') {
    const end = quoteEnd(sql, after, '"', false);
    return [sql.slice(at, end), end];
  }
  if (token.length > 1 && token.startsWith('$') && token.endsWith('$')) {
    const close = sql.indexOf(token, after);
    return ["'?'", close < 0 ? sql.length : close + token.length];
  }
  return /^\.?\d/.test(token) ? ['?', after] : [token, after];
}

/** Comments nest. */
function commentEnd(sql: string, from: number): number {
  let depth = 1;
  let at = from;
  while (at < sql.length && depth > 0) {
    const two = sql.slice(at, at + 2);
    if (two === '/*') depth++;
    else if (two === '*/') depth--;
    at += two === '/*' || two === '*/' ? 2 : 1;
  }
  return at;
}

function quoteEnd(sql: string, from: number, quote: string, backslashes: boolean): number {
  for (let at = from; at < sql.length; at++) {
    if (backslashes && sql[at] === '\\') at++;
    else if (sql[at] === quote) {
      if (sql[at + 1] !== quote) return at + 1;
      at++;
    }
  }
  return sql.length;
}
