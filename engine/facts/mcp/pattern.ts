/** Patterns of foreign schemas, in linear time. */
import { RE2JS } from 're2js';
import { LIMITS } from './limits.ts';

/** By pattern; null: RE2 does not know it. */
const compiled = new Map<string, RE2JS | null>();

/** Whether some part of the text matches, as JSON Schema has it; null: the pattern is not one that RE2 knows. */
export function matches(pattern: string, text: string): boolean | null {
  if (pattern.length > LIMITS.patternChars) return null;
  let known = compiled.get(pattern);
  if (known === undefined) {
    known = compile(pattern);
    if (compiled.size >= LIMITS.patternsKept) compiled.clear();
    compiled.set(pattern, known);
  }
  return known === null ? null : known.matcher(text).find();
}

function compile(pattern: string): RE2JS | null {
  try {
    return RE2JS.compile(pattern);
  } catch {
    return null; // look-around, back-references: whoever asks refuses the schema
  }
}
