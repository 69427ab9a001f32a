/** Words of others on their way into somebody's chat or mail (SECURITY M8, A7). */
import { shown } from '#client/shown';

/**
 * On one line, what is hidden visible, at most `charsMax` characters, and without anything that a client would make a link of: the only
 * address that can be followed is ours.
 */
export function plain(text: string, charsMax: number): string {
  return cut(shown(text.replace(/\s+/g, ' ').trim()), charsMax)
    .replaceAll('://', '[:]//')
    .replace(/\bwww\./gi, (www) => `${www.slice(0, 3)}[.]`);
}

/** Slack's three control characters; without them nothing is a link, a mention or a command. https://docs.slack.dev/messaging/formatting-message-text */
export function slackText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export function htmlText(text: string): string {
  return text.replace(/[&<>"']/g, (char) => HTML[char] ?? '');
}

/** Cards fill in `{{DATE(…)}}` themselves; a run of text has no other markup. */
export function cardText(text: string): string {
  return text.replaceAll('{{', '{ {');
}

export function cut(text: string, charsMax: number): string {
  if (text.length <= charsMax) return text;
  const end = text.charCodeAt(charsMax - 2) >= 0xd800 && text.charCodeAt(charsMax - 2) < 0xdc00 ? charsMax - 2 : charsMax - 1;
  return `${text.slice(0, end)}…`;
}

/** `2026-11-23 10:00 UTC` */
export function minute(time: string): string {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(time) ? `${time.slice(0, 10)} ${time.slice(11, 16)} UTC` : time;
}
