/**
 * A second net under the engine's own escaping (SECURITY M8): control, bidirectional, zero-width and tag characters become their code points,
 * so that a name, a comment or a parameter reads as it is stored.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Co}\p{Cn}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;

export function visible(text: string): string {
  return text.replaceAll(HIDDEN, (char) => (char === '\n' ? char : codePoint(char)));
}

function codePoint(char: string): string {
  return `[U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`;
}
