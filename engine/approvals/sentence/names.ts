import { characterName, mixesScripts, shown } from '#client/shown';

const NAME_CHARS_MAX = 128;

/** In backticks when plain; else as SQL quotes it, so that it cannot end its quotes, and escaped. */
export function name(text: string): string {
  const cut = text.length > NAME_CHARS_MAX ? `${text.slice(0, NAME_CHARS_MAX)}… (${text.length} characters)` : text;
  const plain = /^[\p{L}\p{N}_.$*]+$/u.test(text) && cut === text;
  return `${plain ? `\`${text}\`` : `"${ticked(cut.replaceAll('"', '""'))}"`}${foreign(text)}`;
}

/** As it may be shown, and without a back-tick: those are the sentence's own. */
export function ticked(text: string): string {
  return shown(text).replaceAll('`', '‹U+0060 GRAVE ACCENT›');
}

/** Letters of several scripts in one name may look alike: `pаyments` ‹U+0430›. */
export function foreign(text: string): string {
  if (/^[\0-\x7f]*$/.test(text) || !mixesScripts(text)) return '';
  const points = [...new Set(Array.from(text).filter((char) => /[^\0-\x7f]/.test(char)))].map(characterName);
  return ` ‹${points.slice(0, 4).join(' ')}, mixed scripts›`;
}

/** `a, b and c` */
export function joined(items: readonly string[]): string {
  return items.length < 2 ? items.join('') : `${items.slice(0, -1).join(', ')} and ${items.at(-1)}`;
}
