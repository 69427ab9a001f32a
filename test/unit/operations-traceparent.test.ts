/** W3C trace context in a statement's last comment (sqlcommenter). */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { traceParentOf } from '#engine/operations/traces/traceparent';

const ID = '0af7651916cd43dd8448eb211c80319c';
const VALUE = `00-${ID}-b7ad6b7169203331-01`;
const of = (text: string) => traceParentOf(Buffer.from(text));

test.each([
  [`SELECT 1 /*traceparent='${VALUE}'*/`, ID],
  [`SELECT 1 /*action='a%2Cb',traceparent='${VALUE}',tracestate='x'*/ ; `, ID],
  [`${'x'.repeat(5000)} /*traceparent='${VALUE}'*/`, ID],
  [`SELECT 1 /*traceparent='cc-${ID}-b7ad6b7169203331-01-later'*/`, ID],
])('%s', (text, traceId) => {
  expect(of(text)).toEqual({ traceId, spanId: 'b7ad6b7169203331', sampled: true });
});

test.each([
  'SELECT 1',
  `SELECT 'traceparent=''${VALUE}'''`,
  `/*traceparent='${VALUE}'*/ SELECT 1`,
  `SELECT 1 /*traceparent='${VALUE}-more'*/`,
  `SELECT 1 /*traceparent='ff-${ID}-b7ad6b7169203331-01'*/`,
  `SELECT 1 /*traceparent='00-${'0'.repeat(32)}-b7ad6b7169203331-01'*/`,
  `SELECT 1 /*traceparent='00-${ID}-${'0'.repeat(16)}-01'*/`,
  `SELECT 1 /*traceparent='00-${ID.toUpperCase()}-b7ad6b7169203331-01'*/`,
])('none in %s', (text) => {
  expect(of(text)).toBeNull();
});

test('never throws, and never answers what is not of the form', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), fc.string({ maxLength: 90 }), (bytes, value) => {
      const found = traceParentOf(Buffer.concat([bytes, Buffer.from(`/*traceparent='${value}'*/`)]));
      if (found !== null) expect([found.traceId, found.spanId].join(' ')).toMatch(/^[0-9a-f]{32} [0-9a-f]{16}$/);
    }),
  );
});
