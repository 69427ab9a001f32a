import { GRAPHQL_LIMITS } from './graphql-limits.ts';

/** Whether brackets stand deeper inside each other than the parser, which calls itself, should see. Linear; strings and comments do not count. */
export function tooDeep(text: string): boolean {
  let depth = 0;
  TOKENS.lastIndex = 0;
  for (let match = TOKENS.exec(text); match !== null; match = TOKENS.exec(text)) {
    const first = match[0][0] as string;
    if ('{[('.includes(first)) depth++;
    else if ('}])'.includes(first)) depth--;
    if (depth > GRAPHQL_LIMITS.brackets) return true;
  }
  return false;
}

/** A block string, a string, a comment, or a bracket: https://spec.graphql.org/October2021/#sec-Appendix-Grammar-Summary.Lexical-Tokens */
const TOKENS = /"""(?:[^"\\]|\\"""|\\|"(?!""))*(?:"""|$)|"(?:[^"\\\r\n]|\\.)*(?:"|$)?|#[^\r\n]*|[{}[\]()]/g;
