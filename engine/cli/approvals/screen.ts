/** The terminal inbox as lines: no colours, nothing but text, each line cut to the terminal's width after it was escaped. */
import type { InboxItem } from '#schemas/review';
import { escapeShown } from '../escape.ts';
import { displayWidth } from '../table.ts';
import { pageLines, until } from './detail.ts';
import { DIGITS, type Inbox, type Prompt, type View } from './inbox.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** The title, the notice, and the keys. */
const FRAME_ROWS = 4;
const ROWS_MIN = 6;

const BOXES = { to_decide: 'waiting for you', asked: 'asked by you', all: 'all that you may see', reviews: 'broken glass to review' } as const;

/** Exactly as many lines as the terminal has. */
export function screenOf(inbox: Inbox, size: Size): readonly string[] {
  const height = bodyRows(size);
  const body = inbox.help ? HELP : inbox.page ? pageBody(inbox, size) : listBody(inbox, size);
  const lines = [title(inbox), '', ...padded(body, height), inbox.prompt ? promptLine(inbox, inbox.prompt) : escapeShown(inbox.notice), keys(inbox)];
  return lines.map((line) => fitted(line, size.columns));
}

export function viewOf(inbox: Inbox, size: Size): View {
  return { lines: inbox.page ? pageLines(inbox.page.request, size.columns).length : 0, height: bodyRows(size) };
}

function bodyRows({ rows }: Size): number {
  return Math.max(ROWS_MIN, rows) - FRAME_ROWS;
}

function title({ box, total, items, live, page }: Inbox): string {
  const count = total > items.length ? `the newest ${items.length} of ${total}` : String(total);
  const where = page ? page.request.approval.approval_id : `${BOXES[box]} (${count})`;
  return `interlock approvals | ${where} | ${live ? 'live' : 'not connected, trying again'}`;
}

function listBody({ items, selected, notice }: Inbox, { columns, rows }: Size): readonly string[] {
  if (items.length === 0) return [notice === 'loading …' ? '' : '  nothing here: it appears by itself when somebody asks'];
  const height = bodyRows({ columns, rows });
  const first = Math.max(0, Math.min(selected - Math.floor(height / 2), items.length - height));
  return items.slice(first, first + height).map((item, index) => row(item, first + index === selected));
}

function row(item: InboxItem, selected: boolean): string {
  const who = item.on_behalf_of === undefined ? item.login : `${item.login} for ${item.on_behalf_of}`;
  const ends = item.review === 'open' ? 'review' : item.state === 'open' ? until(item.expires_at) : item.state.replace('_', ' ');
  const quorum = `${item.approved}/${item.needed}`;
  const cells = [cell(ends, 9), cell(quorum, 4), cell(escapeShown(who), 18), cell(escapeShown(item.target), 12), escapeShown(item.summary)];
  return `${selected ? '>' : ' '} ${cells.join(' ')}`;
}

function cell(text: string, width: number): string {
  const shown = fitted(text, width);
  return shown + ' '.repeat(Math.max(0, width - displayWidth(shown)));
}

function pageBody({ page }: Inbox, size: Size): readonly string[] {
  if (!page) return [];
  const height = bodyRows(size);
  const lines = pageLines(page.request, size.columns);
  const below = lines.length - page.scroll - height;
  const shown = lines.slice(page.scroll, page.scroll + height);
  // the last line of the screen is a line of the page, so that what was seen is what is counted; the rest is told in the keys' line
  return below > 0 && shown.length === 0 ? [`… ${below} lines below`] : shown;
}

function promptLine({ page }: Inbox, { verb, asks, typed }: Prompt): string {
  const digits = page?.request.text.digest_prefix.slice(0, DIGITS) ?? '';
  if (asks === 'digits') return `to ${verb.label}, type ${digits}, the first digits of its digest: ${escapeShown(typed)}_`;
  return `${verb.words} (${verb.wordsNeeded ? 'needed' : 'enter for none'}), to ${verb.label}: ${escapeShown(typed)}_`;
}

function keys({ page, prompt }: Inbox): string {
  if (prompt) return 'enter: go on   escape: back, nothing is done';
  if (!page) return 'j k: move   enter: open   tab: other box   r: load again   ?: help   q: quit';
  const acts = page.request.can.filter(({ allowed }) => allowed).map(({ act }) => ACT_KEYS[act]);
  return [...acts, 'j k space G: read', 'q: back'].join('   ');
}

const ACT_KEYS = {
  approve: 'a: approve',
  deny: 'd: deny',
  changes: 'c: changes',
  cancel: 'x: cancel',
  withdraw: 'w: withdraw',
  break_glass: 'B: break the glass',
  review: 'y/n: justified or not',
} as const;

const HELP: readonly string[] = [
  '  j k, arrows      up and down              enter, o   open the request',
  '  tab              the next box             r          load again',
  '  a                approve (after reading)  d          deny',
  '  c                ask for changes          w          withdraw an approval',
  '  x                cancel your own          B          break the glass',
  '  y n              review a broken glass: justified, unjustified',
  '  space, G         read on, to the end      q, escape  back',
];

function padded(lines: readonly string[], height: number): readonly string[] {
  return Array.from({ length: height }, (_, index) => lines[index] ?? '');
}

/** Cut, and said to be cut. */
function fitted(text: string, columns: number): string {
  if (displayWidth(text) <= columns) return text;
  let line = '';
  let used = 0;
  for (const char of text) {
    const wide = displayWidth(char);
    if (used + wide > columns - 1) break;
    line += char;
    used += wide;
  }
  return `${line}…`;
}
