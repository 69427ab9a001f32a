/** SQL that is read as PostgreSQL's because nobody says whose it is: where another database would see other statements in the same text. */

const TOKEN = /'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|#|\$[A-Za-z_0-9]*\$/g;

/** null: every common dialect tells its texts, comments and statements apart in the same way. */
export function otherwiseRead(text: string): string | null {
  if (/\\['"`]/.test(text)) return 'a quote behind a backslash';
  for (const [token] of text.matchAll(TOKEN)) {
    if (token.startsWith('/*!') || token.startsWith('/*M!') || token.startsWith('/*+')) return 'a comment that is carried out elsewhere';
    if (token.startsWith('/*') && token.includes('/*', 2)) return 'a comment in a comment';
    if (/^--[^\s]/.test(token)) return 'two minus signs without a blank behind them';
    if (token === '#') return 'a number sign';
    if (token.startsWith('$')) return 'dollar quotes';
  }
  return null;
}
