/** Control, format (bidi, zero width, tags), surrogate, private and unassigned characters, separators, blank letters, and our own marks. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800‹›]/gu;

/**
 * What the gateway says to a client ends on somebody's terminal, and carries words of others: a reviewer's comment, names in a reason. What
 * cannot be seen, or would drive the terminal, becomes visible as ‹U+202E›; line ends become blanks, so that no word of others begins a line (M8).
 */
export function visible(text: string): string {
  return text
    .replace(/\s*[\r\n]+\s*/g, ' ')
    .replace(UNSEEN, (char) => `‹U+${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}›`);
}
