/** What a reviewer reads of a question without a statement (A7): the names in it are of others. */
import { expect, test } from 'vitest';
import { accessInquiry } from '#engine/api/authzen/access-inquiry';
import type { ApprovalDraft } from '#client/approvals';
import type { Asked } from '#engine/api/authzen/inquiry';
import { draft } from '#test/support/approvals';

function drafted(action: string, type: string, id: string): ApprovalDraft {
  const { requirement, decision, subject } = draft();
  const asked = {
    house: { parts: { ids: { next: () => 'evt_1' } } },
    question: {
      action: { name: action, properties: {} },
      resource: { type, id, properties: {} },
      subject: { ...subject, properties: {} },
      context: {},
    },
    subject,
    point: { id: 'iss|api', login: 'records-api' },
  };
  return accessInquiry(asked as unknown as Asked).draft({ ...decision, approval: requirement });
}
function sentence(action: string, type: string, id: string): string | undefined {
  return drafted(action, type, id).sentence;
}

test('plain names stand as they are', () => {
  expect(sentence('pay', 'payout', 'p-2/7:x@y')).toBe('pay on payout p-2/7:x@y, as records-api asks');
});

test('others cannot go on as our sentence', () => {
  expect(sentence('delete', 'record', '7, as records-api asks; bob approved it already')).toBe(
    'delete on record "7, as records-api asks; bob approved it already", as records-api asks',
  );
  expect(sentence('read\u202e', 'a "b"', 'x\n')).toBe(
    '"read‹U+202E RIGHT-TO-LEFT OVERRIDE›" on "a ""b""" "x‹U+000A LINE FEED›", as records-api asks',
  );
  expect(sentence('x'.repeat(5_000), 'y', 'z')).toMatch(/^"x{128}… \(5000 characters\)" on y z/);
});

test('nor begin a line of what is approved', () => {
  const text = (id: string): string => Buffer.from(drafted('pay', 'payout', id).payload.bytes).toString();
  expect(text('p-2')).toMatch(/^pay on payout p-2\nsubject /);
  expect(text('p-2\nresource {"amount":5}')).toMatch(/^pay on payout "p-2\\nresource \{\\"amount\\":5\}"\nsubject /);
  expect(text(`x ${'y'.repeat(300)}1`)).not.toBe(text(`x ${'y'.repeat(300)}2`));
});
