/** The terminal inbox as a pure machine: keys and answers in, its state and what to ask of the gateway out. */
import type { Ability, Act, InboxBox, InboxItem, RequestPage } from '#schemas/review';
import { INBOX_BOXES } from '#schemas/review';

export interface Inbox {
  readonly box: InboxBox;
  readonly items: readonly InboxItem[];
  readonly total: number;
  readonly selected: number;
  /** null: the list is shown. */
  readonly page: OpenPage | null;
  readonly prompt: Prompt | null;
  /** The last thing that happened, in one line. */
  readonly notice: string;
  readonly help: boolean;
  /** The stream of changes stands. */
  readonly live: boolean;
}

export interface OpenPage {
  readonly request: RequestPage;
  readonly scroll: number;
  /** The first line that was never on the screen. */
  readonly seenTo: number;
}

/** What is being asked before something is done: digits of the digest first, then words. */
export interface Prompt {
  readonly verb: Verb;
  readonly asks: 'digits' | 'words';
  readonly typed: string;
}

export interface Verb {
  readonly act: Act;
  readonly label: string;
  readonly route: string;
  /** `outcome` of the body. */
  readonly outcome?: string;
  readonly words: 'comment' | 'reason';
  readonly wordsNeeded: boolean;
  /** The digits of what one decides on are typed. */
  readonly digits: boolean;
}

export const VERBS: Readonly<Record<string, Verb>> = {
  a: { act: 'approve', label: 'approve', route: 'verdict', outcome: 'approve', words: 'comment', wordsNeeded: false, digits: true },
  d: { act: 'deny', label: 'deny', route: 'verdict', outcome: 'deny', words: 'comment', wordsNeeded: false, digits: true },
  c: { act: 'changes', label: 'ask for changes', route: 'verdict', outcome: 'changes', words: 'comment', wordsNeeded: true, digits: false },
  w: { act: 'withdraw', label: 'withdraw the approval', route: 'withdraw', words: 'comment', wordsNeeded: false, digits: false },
  x: { act: 'cancel', label: 'cancel', route: 'cancel', words: 'comment', wordsNeeded: false, digits: false },
  B: { act: 'break_glass', label: 'break the glass', route: 'break-glass', words: 'reason', wordsNeeded: true, digits: true },
  y: { act: 'review', label: 'find it justified', route: 'review', outcome: 'justified', words: 'comment', wordsNeeded: true, digits: false },
  n: { act: 'review', label: 'find it unjustified', route: 'review', outcome: 'unjustified', words: 'comment', wordsNeeded: true, digits: false },
};

/** So many digits of the digest are typed; the whole digest goes with the verdict. */
export const DIGITS = 4;

export type Happening =
  | { readonly type: 'key'; readonly key: string }
  | { readonly type: 'inbox'; readonly box: InboxBox; readonly items: readonly InboxItem[]; readonly total: number }
  | { readonly type: 'opened'; readonly request: RequestPage }
  | { readonly type: 'told'; readonly notice: string }
  | { readonly type: 'done'; readonly notice: string }
  | { readonly type: 'live'; readonly live: boolean };

export type Order =
  | { readonly do: 'load'; readonly box: InboxBox }
  | { readonly do: 'open'; readonly id: string }
  | { readonly do: 'post'; readonly id: string; readonly route: string; readonly body: object; readonly label: string }
  | { readonly do: 'quit' };

export interface Step {
  readonly inbox: Inbox;
  readonly orders: readonly Order[];
}

/** What the screen holds now: how far one has read is judged by it. */
export interface View {
  /** Lines of the open page in all, and how many are on the screen. */
  readonly lines: number;
  readonly height: number;
}

export function opened(box: InboxBox): Inbox {
  return { box, items: [], total: 0, selected: 0, page: null, prompt: null, notice: 'loading …', help: false, live: false };
}

export function step(inbox: Inbox, happening: Happening, view: View): Step {
  switch (happening.type) {
    case 'key':
      return inbox.prompt
        ? inPrompt(inbox, inbox.prompt, happening.key)
        : inbox.page
          ? onPage(inbox, inbox.page, happening.key, view)
          : inList(inbox, happening.key, view);
    case 'inbox':
      return still(happening.box === inbox.box ? withItems(inbox, happening.items, happening.total) : inbox);
    case 'opened':
      return still({ ...inbox, page: { request: happening.request, scroll: 0, seenTo: 0 }, notice: '' });
    case 'told':
      return still({ ...inbox, notice: happening.notice });
    case 'done':
      return { inbox: { ...inbox, page: null, prompt: null, notice: happening.notice }, orders: [{ do: 'load', box: inbox.box }] };
    case 'live':
      return { inbox: { ...inbox, live: happening.live }, orders: happening.live ? [{ do: 'load', box: inbox.box }] : [] };
  }
}

/** What was on the screen was seen. */
export function shownTo(inbox: Inbox, { height }: View): Inbox {
  const { page } = inbox;
  return page && page.scroll + height > page.seenTo ? { ...inbox, page: { ...page, seenTo: page.scroll + height } } : inbox;
}

function still(inbox: Inbox): Step {
  return { inbox, orders: [] };
}

/** The same request stays selected, wherever it stands now. */
function withItems(inbox: Inbox, items: readonly InboxItem[], total: number): Inbox {
  const id = inbox.items[inbox.selected]?.approval_id;
  const at = items.findIndex(({ approval_id }) => approval_id === id);
  const selected = Math.max(0, Math.min(items.length - 1, at < 0 ? inbox.selected : at));
  return { ...inbox, items, total, selected, notice: inbox.notice === 'loading …' ? '' : inbox.notice };
}

function inList(inbox: Inbox, key: string, { height }: View): Step {
  const move = (by: number): Step =>
    still({ ...inbox, notice: '', help: false, selected: Math.max(0, Math.min(inbox.items.length - 1, inbox.selected + by)) });
  const selected = inbox.items[inbox.selected];
  switch (key) {
    case 'j':
    case 'down':
      return move(1);
    case 'k':
    case 'up':
      return move(-1);
    case 'pagedown':
      return move(height);
    case 'pageup':
      return move(-height);
    case 'g':
    case 'home':
      return move(-inbox.items.length);
    case 'G':
    case 'end':
      return move(inbox.items.length);
    case 'enter':
    case 'o':
    case 'a':
    case 'd':
      // one decides on what one has read: the page opens first
      return selected ? { inbox: { ...inbox, help: false, notice: 'opening …' }, orders: [{ do: 'open', id: selected.approval_id }] } : still(inbox);
    case 'tab': {
      const box = INBOX_BOXES[(INBOX_BOXES.indexOf(inbox.box) + 1) % INBOX_BOXES.length] as InboxBox;
      return { inbox: { ...opened(box), live: inbox.live }, orders: [{ do: 'load', box }] };
    }
    case 'r':
      return { inbox, orders: [{ do: 'load', box: inbox.box }] };
    case '?':
      return still({ ...inbox, help: !inbox.help });
    case 'q':
    case 'quit':
      return { inbox, orders: [{ do: 'quit' }] };
    default:
      return still({ ...inbox, help: false });
  }
}

function onPage(inbox: Inbox, page: OpenPage, key: string, view: View): Step {
  const last = Math.max(0, view.lines - view.height);
  const scroll = (to: number): Step => still({ ...inbox, notice: '', page: { ...page, scroll: Math.max(0, Math.min(last, to)) } });
  switch (key) {
    case 'j':
    case 'down':
      return scroll(page.scroll + 1);
    case 'k':
    case 'up':
      return scroll(page.scroll - 1);
    case ' ':
    case 'pagedown':
      return scroll(page.scroll + view.height - 1);
    case 'pageup':
      return scroll(page.scroll - view.height + 1);
    case 'g':
    case 'home':
      return scroll(0);
    case 'G':
    case 'end':
      return scroll(last);
    case 'q':
    case 'escape':
      return still({ ...inbox, page: null, notice: '' });
    case 'quit':
      return { inbox, orders: [{ do: 'quit' }] };
    default: {
      const verb = Object.hasOwn(VERBS, key) ? VERBS[key] : undefined;
      return still(verb ? begun(inbox, page, verb, view) : inbox);
    }
  }
}

function begun(inbox: Inbox, page: OpenPage, verb: Verb, { lines }: View): Inbox {
  const able = page.request.can.find(({ act }) => act === verb.act);
  if (able?.allowed !== true) return { ...inbox, notice: `you cannot ${verb.label}: ${able?.why ?? 'it is not yours to do'}` };
  // nothing that one has not seen to its end is approved
  if (verb.act === 'approve' && page.seenTo < lines) return { ...inbox, notice: 'there is more below: read to its end first (space, or G)' };
  return { ...inbox, notice: '', prompt: { verb: needing(verb, able), asks: verb.digits ? 'digits' : 'words', typed: '' } };
}

function needing(verb: Verb, { reason_required }: Ability): Verb {
  return reason_required === true ? { ...verb, wordsNeeded: true } : verb;
}

const WORDS_CHARS_MAX = 4_000;

function inPrompt(inbox: Inbox, prompt: Prompt, key: string): Step {
  switch (key) {
    case 'escape':
    case 'quit':
      return still({ ...inbox, prompt: null, notice: 'nothing was done' });
    case 'backspace':
      return still({ ...inbox, prompt: { ...prompt, typed: Array.from(prompt.typed).slice(0, -1).join('') } });
    case 'clear':
      return still({ ...inbox, prompt: { ...prompt, typed: '' } });
    case 'enter':
      return entered(inbox, prompt);
    default:
      if (Array.from(key).length > 1 || prompt.typed.length >= WORDS_CHARS_MAX) return still(inbox);
      return still({ ...inbox, notice: '', prompt: { ...prompt, typed: prompt.typed + key } });
  }
}

function entered(inbox: Inbox, prompt: Prompt): Step {
  const { verb, typed } = prompt;
  const request = inbox.page?.request;
  if (!request) return still({ ...inbox, prompt: null });
  if (prompt.asks === 'digits') {
    const wanted = request.text.digest_prefix.slice(0, DIGITS);
    if (typed.trim().toLowerCase() !== wanted)
      return still({ ...inbox, prompt: { ...prompt, typed: '' }, notice: `it is ${wanted}; nothing was done` });
    return still({ ...inbox, notice: '', prompt: { verb, asks: 'words', typed: '' } });
  }
  if (verb.wordsNeeded && typed.trim() === '') return still({ ...inbox, notice: 'this needs words; escape goes back' });
  const body = {
    ...(verb.outcome !== undefined && { outcome: verb.outcome }),
    ...(typed.trim() !== '' && { [verb.words]: typed }),
    ...(verb.act === 'approve' && { seen: request.text.digest }),
  };
  const { approval_id: id } = request.approval;
  return { inbox: { ...inbox, prompt: null, notice: `${verb.label} …` }, orders: [{ do: 'post', id, route: verb.route, body, label: verb.label }] };
}
