/** What the head of an answer says is kept for the next one that is the same bytes, and for no other (SECURITY H1). */
import { expect, test } from 'vitest';
import { AnswerBlock } from '#enforcers/http/answer-block';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nkeep-alive: timeout=3\r\ncontent-length: 10';
const bytes = (text: string): Buffer => Buffer.from(`${text}\r\n\r\n0123456789`, 'latin1');

test('the same bytes are the same head; one other byte, one more or one less is another', () => {
  const block = new AnswerBlock(bytes(HEAD), HEAD.length);
  expect(block.said).toMatchObject({ status: 200, keepsAlive: true });
  expect(block.framing).toEqual({ kind: 'length', bytes: 10 });
  expect(block.keepMs).toBe(2000);
  expect(block.is(bytes(HEAD), HEAD.length)).toBe(true);
  for (let at = 0; at < HEAD.length; at++) {
    const other = `${HEAD.slice(0, at)}${String.fromCharCode(HEAD.charCodeAt(at) ^ 1)}${HEAD.slice(at + 1)}`;
    expect(block.is(bytes(other), HEAD.length)).toBe(false);
  }
  expect(block.is(bytes(`${HEAD}0`), HEAD.length + 1)).toBe(false);
  expect(block.is(bytes(HEAD), HEAD.length - 1)).toBe(false);
});

test('it holds on to none of the memory that was read into', () => {
  const read = bytes(HEAD);
  const block = new AnswerBlock(read, HEAD.length);
  read.fill(0);
  expect(block.is(bytes(HEAD), HEAD.length)).toBe(true);
});
