/** Patterns of foreign schemas, in linear time. */
import { RE2JS } from 're2js';
import { boundedMemo } from '#client/bounded-memo';
import { LIMITS } from './limits.ts';

/** By pattern; null: RE2 does not know it. */
const compiled = boundedMemo(LIMITS.patternsKept, compile);

/** Whether some part of the text matches, as JSON Schema has it; null: the pattern is not one that RE2 knows. */
export function matches(pattern: string, text: string): boolean | null {
  if (pattern.length > LIMITS.patternChars) return null;
  return compiled(pattern)?.matcher(text).find() ?? null;
}

function compile(pattern: string): RE2JS | null {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return null; // look-around, back-references: whoever asks refuses the schema
  }
}
