/** The terminal inbox: nothing is decided that was not read to its end and named by its digest; nothing on the screen can drive it. A1, A7, M8. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DIGITS, type Happening, type Inbox, opened, type Order, shownTo, step } from '#engine/cli/approvals/inbox';
import { keysOf } from '#engine/cli/approvals/keys';
import { screenOf, viewOf } from '#engine/cli/approvals/screen';
import { displayWidth } from '#engine/cli/table';
import type { Ability, InboxItem, RequestPage } from '#schemas/review';

const SIZE = { columns: 80, rows: 24 };
const DIGEST = `sha256:3f2a90c1d77b${'0'.repeat(52)}`;

function item(n: number, more: Partial<InboxItem> = {}): InboxItem {
  return {
    approval_id: `apr_${n}`,
    state: 'open',
    summary: `deletes from t${n}`,
    login: 'alice',
    subject_type: 'user',
    target: 'shop',
    requested_at: '2026-11-23T10:00:00.000000Z',
    expires_at: '2099-11-23T10:00:00.000000Z',
    codes: [],
    approved: 0,
    needed: 1,
    mine: true,
    ...more,
  };
}

function page(lines: number, can: readonly Ability[] = [{ act: 'approve', allowed: true }]): RequestPage {
  const text = Array.from({ length: lines }, (_, n) => `SELECT ${n}`).join('\n');
  return {
    approval: {
      approval_id: 'apr_1',
      state: 'open',
      requirement: { stages: [], grant: { of: 'statement', uses: 1 }, valid_for_s: 1, expires_in_s: 1, bind_session: false, digest: DIGEST },
      progress: [],
      subject: { type: 'user', id: 'alice', properties: { login: 'alice', groups: [] } },
      target: 'shop',
      payload_text: text,
      binding: {
        principal: 'alice',
        on_behalf_of: null,
        target: 'shop',
        database: 'shop',
        role: 'app',
        payload: DIGEST,
        params: null,
        settings: {},
        transaction: 'idle',
        objects: [],
        requirement: DIGEST,
      },
      payload_digest: DIGEST,
      expires_at: '2099-11-23T10:00:00.000000Z',
      requested_at: '2026-11-23T10:00:00.000000Z',
      summary: 'reads',
      reasons: [],
      uses: 0,
    },
    text: {
      complete: true,
      bytes: text.length,
      lines,
      digest_prefix: '3f2a90c1d77b',
      digest: DIGEST,
      statements: [{ number: 1, kind: 'SELECT', tokens: [{ kind: 'other', text }] }],
      warnings: [],
    },
    can: [...can],
    story: [],
    session: [],
    earlier: [],
  };
}

/** As the terminal would run it: what is on the screen after each happening was seen. */
class Terminal {
  inbox: Inbox = opened('to_decide');
  readonly orders: Order[] = [];

  happens(...happenings: readonly Happening[]): this {
    for (const happening of happenings) {
      const next = step(this.inbox, happening, viewOf(this.inbox, SIZE));
      this.inbox = shownTo(next.inbox, viewOf(next.inbox, SIZE));
      this.orders.push(...next.orders);
    }
    return this;
  }

  types(bytes: string): this {
    return this.happens(...keysOf(bytes).map((key) => ({ type: 'key', key }) as const));
  }

  get screen(): string {
    return screenOf(this.inbox, SIZE).join('\n');
  }
}

const three = { type: 'inbox', box: 'to_decide', items: [item(1), item(2), item(3)], total: 3 } as const;

describe('the list', () => {
  test('moves, opens, and keeps what is selected where it is when others come', () => {
    const terminal = new Terminal().happens(three).types('jj\u001b[A');
    expect(terminal.inbox.selected).toBe(1);
    terminal.happens({ ...three, items: [item(9), ...three.items], total: 4 });
    expect(terminal.inbox.items[terminal.inbox.selected]?.approval_id).toBe('apr_2');
    terminal.types('\r');
    expect(terminal.orders).toEqual([{ do: 'open', id: 'apr_2' }]);
    expect(terminal.happens({ ...three, items: [], total: 0 }).inbox.selected).toBe(0);
    expect(terminal.screen).toContain('nothing here');
  });

  test('tab goes round the boxes; an answer for a box that one has left is not shown', () => {
    const terminal = new Terminal().types('\t').happens(three);
    expect(terminal.inbox).toMatchObject({ box: 'asked', items: [] });
    expect(terminal.orders).toEqual([{ do: 'load', box: 'asked' }]);
    terminal.types('q');
    expect(terminal.orders.at(-1)).toEqual({ do: 'quit' });
  });

  test('a or d on the list decides nothing: it opens the page', () => {
    expect(new Terminal().happens(three).types('ad').orders).toEqual([
      { do: 'open', id: 'apr_1' },
      { do: 'open', id: 'apr_1' },
    ]);
  });
});

describe('deciding', () => {
  const reading = (lines: number, can?: readonly Ability[]) => new Terminal().happens(three, { type: 'opened', request: page(lines, can) });

  test('approve: read to the end, name the digest, then words or none', () => {
    const terminal = reading(100).types('a');
    expect(terminal.inbox).toMatchObject({ prompt: null, notice: expect.stringContaining('more below') as string });
    terminal.types('Ga');
    expect(terminal.screen).toContain(`type ${'3f2a90c1d77b'.slice(0, DIGITS)}`);
    terminal.types('3f2b\r');
    expect(terminal.orders).toEqual([]);
    terminal.types('3f2a\ras agreed\r');
    expect(terminal.orders).toEqual([
      { do: 'post', id: 'apr_1', route: 'verdict', body: { outcome: 'approve', comment: 'as agreed', seen: DIGEST }, label: 'approve' },
    ]);
  });

  test('what one may not do says why', () => {
    const terminal = reading(1, [{ act: 'approve', allowed: false, code: 'VERDICT_SELF', why: 'whoever asks may not decide' }]).types('a');
    expect(terminal.inbox).toMatchObject({ prompt: null, notice: 'you cannot approve: whoever asks may not decide' });
    expect(terminal.types('w').inbox.notice).toContain('you cannot withdraw');
  });

  test('words where they are needed, escape where one thinks better of it', () => {
    const terminal = reading(1, [{ act: 'changes', allowed: true, reason_required: true }]).types('c\r');
    expect(terminal.inbox.notice).toContain('needs words');
    expect(terminal.types('narrower\u007f\u007f\u001b').inbox).toMatchObject({ prompt: null, notice: 'nothing was done' });
    expect(terminal.types('cwhere id = 1\r').orders).toEqual([
      { do: 'post', id: 'apr_1', route: 'verdict', body: { outcome: 'changes', comment: 'where id = 1' }, label: 'ask for changes' },
    ]);
  });

  test('done: back on the list, which is loaded again; refused: told in one line', () => {
    const terminal = reading(1).happens({ type: 'done', notice: 'apr_1 is approved' });
    expect(terminal.inbox).toMatchObject({ page: null, notice: 'apr_1 is approved' });
    expect(terminal.orders).toEqual([{ do: 'load', box: 'to_decide' }]);
    expect(terminal.happens({ type: 'told', notice: 'refused: \u001b[2J' }).screen).toContain('refused: ‹U+001B›[2J');
  });
});

test('M8: every screen has the terminal’s lines, none longer, and nothing in them but what can be seen', () => {
  const text = fc.string({
    unit: fc.oneof(fc.constantFrom('\u001b', '\u202e', '\n', '\u0007', '界', '‹', 'a', ' '), fc.string({ minLength: 1, maxLength: 1 })),
    maxLength: 200,
  });
  const size = fc.record({ columns: fc.integer({ min: 40, max: 200 }), rows: fc.integer({ min: 8, max: 60 }) });
  fc.assert(
    fc.property(text, text, size, fc.boolean(), (words, typed, at, opens) => {
      const terminal = new Terminal().happens({ ...three, items: [item(1, { summary: words, login: words, target: words, on_behalf_of: words })] });
      if (opens) {
        const request = page(3);
        terminal.happens({
          type: 'opened',
          request: { ...request, story: [{ time: '2026-11-23T10:00:00.000000Z', type: 'verdict', what: words, comment: words }] },
        });
        terminal.happens({ type: 'key', key: 'a' });
      }
      for (const key of Array.from(typed)) terminal.happens({ type: 'key', key });
      terminal.happens({ type: 'told', notice: words });
      const lines = screenOf(terminal.inbox, at);
      expect(lines).toHaveLength(at.rows);
      for (const line of lines) {
        expect(line).not.toMatch(/[\p{Cc}\u202e]/u);
        expect(displayWidth(line)).toBeLessThanOrEqual(at.columns);
      }
    }),
    { numRuns: 300 },
  );
});

test('keys: sequences, typed characters, and nothing guessed from what is not known', () => {
  expect(keysOf('j\u001b[B\u001b[6~\r\t\u007f\u0003é界')).toEqual(['j', 'down', 'pagedown', 'enter', 'tab', 'backspace', 'quit', 'é', '界']);
  expect(keysOf('\u001b')).toEqual(['escape']);
  expect(keysOf('\u001b[1;5Pa\u001b[<0;1;1Md\u0001')).toEqual(['a', 'd']);
});
