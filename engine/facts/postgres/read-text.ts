/** Bytes → facts in one go, for a thread that may take the time. Total. */
import type { SqlFacts } from '#schemas/sql-facts';
import { overBudget } from './budget.ts';
import { factsOf, type TextContext, unparsed } from './facts.ts';
import { ParseFailure, type Parser } from './parser.ts';

/** null: the parser has no instance just now; nothing was read. */
export function readText(parser: Parser, text: Uint8Array, context: TextContext): SqlFacts | null {
  const { major } = parser;
  try {
    const tree = parser.parse(text);
    const excess = overBudget(tree);
    if (excess !== null) return unparsed(major, { code: 'budget', detail: excess });
    return factsOf(tree, text, major, context);
  } catch (error) {
    if (error instanceof ParseFailure) {
      if (error.code === 'unavailable') return null;
      const { position: start } = error;
      return unparsed(major, { code: error.code, detail: error.message, ...(start === null ? {} : { span: { start, end: text.length } }) });
    }
    // a stack that still overflowed, or a defect of ours: what was not understood is not passed on
    if (error instanceof RangeError) return unparsed(major, { code: 'budget', detail: 'the stack is too small for it' });
    return unparsed(major, { code: 'unsupported', detail: 'the walker failed' });
  }
}
