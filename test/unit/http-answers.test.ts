/** Masks in answers of APIs: where they stand, and how values hide from them (H8). */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMaskPath } from '#enforcers/common/json-mask/mask-path';
import { answering } from '#enforcers/http/response/answering';
import type { Mask } from '#schemas/decision';
import { CANARY, SSN, facts, mask, json, planned, run, sent } from '#test/support/http-answers';

describe('answers with masks: where masks stand (H8)', () => {
  it.each([
    ['$.a.b', { a: { b: CANARY, c: 1 } }, { a: { b: '***', c: 1 } }],
    ['$..ssn', { ssn: CANARY, in: [{ SSN: CANARY }, { deep: { ssn: CANARY } }] }, { ssn: '***', in: [{ SSN: '***' }, { deep: { ssn: '***' } }] }],
    [
      '$.items[*].ssn',
      { items: [{ ssn: CANARY, id: 1 }, { ssn: CANARY }], ssn: 'stays' },
      { items: [{ ssn: '***', id: 1 }, { ssn: '***' }], ssn: 'stays' },
    ],
    ['$.items.ssn', { items: [[{ ssn: CANARY }]] }, { items: [[{ ssn: '***' }]] }],
    ['$[*].ssn', [{ ssn: CANARY }], [{ ssn: '***' }]],
    ['$.list[1]', { list: ['a', CANARY, 'c'] }, { list: ['a', '***', 'c'] }],
    ['$["a b"]["c.d"]', { 'a b': { 'c.d': CANARY } }, { 'a b': { 'c.d': '***' } }],
    ["$['it''s']", null, null],
    ['$.m.*', { m: { x: CANARY, y: 2 } }, { m: { x: '***', y: 0 } }],
    ['$..m[*]', { a: { m: [CANARY] } }, { a: { m: ['***'] } }],
    ['$', { a: CANARY }, {}],
  ])('%s', (path, document, masked) => {
    if (document === null) return expect(readMaskPath(path)).toBeNull();
    expect(JSON.parse(sent(mask({ [path]: { using: 'redact' } }), JSON.stringify(document)))).toEqual(masked);
  });

  it.each(['ssn', '$.', '$..', '$[?(@.a)]', '$[1:2]', '$[-1]', '$[', "$['a", '$. a', '$.a b'])('%s is no path, and a refusal', (path) => {
    expect(mask({ [path]: { using: 'redact' } })).toMatchObject({ refused: true, code: 'OBLIGATION_UNSUPPORTED' });
  });

  it.each([
    ['null', { s: null, n: null, b: null, z: null, o: null, l: null }],
    ['redact', { s: '***', n: 0, b: false, z: null, o: {}, l: [] }],
    ['partial', { s: '***6789', n: 0, b: false, z: null, o: {}, l: [] }],
  ] as const)('%s yields by the kind of the value what PostgreSQL would', (using, masked) => {
    const document = { s: CANARY, n: -12.5e3, b: true, z: null, o: { x: [CANARY] }, l: [{ y: CANARY }] };
    expect(JSON.parse(sent(mask({ '$.*': { using } }), JSON.stringify(document)))).toEqual(masked);
  });

  it('partial keeps at most half, by characters, however the text is written', () => {
    const kept = (text: string, keep?: number): unknown =>
      (JSON.parse(sent(mask({ '$.s': keep === undefined ? { using: 'partial' } : { using: 'partial', keep } }), `{"s":${text}}`)) as { s: unknown })
        .s;
    expect(kept('"1234567"')).toBe('***');
    expect(kept('"12345678"')).toBe('***5678');
    expect(kept('"\\u0031234567\\u0038"')).toBe('***5678');
    expect(kept('"a𝒳𝒴𝒵"', 2)).toBe('***𝒴𝒵');
    expect(kept('"abcd"', 0)).toBe('***');
    expect(kept(JSON.stringify(`${'x'.repeat(300_000)}tail`))).toBe('***'); // too long to be kept
  });

  it.each([[{ using: 'hash' }], [{ using: 'tokenize' }], [{ using: 'bucket' }], [{ using: 'partial', keep: 33 }]] as const)(
    '%j cannot be fulfilled, and is refused before anything is sent (M5)',
    (method) => {
      expect(mask({ '$.a': method })).toMatchObject({ refused: true, code: 'OBLIGATION_UNSUPPORTED' });
    },
  );

  it('detectors are refused', () => {
    const asked = answering({
      facts: facts(),
      obligations: [{ id: 'm', type: 'mask', properties: { columns: {}, paths: {}, detectors: ['card'] } }],
    });
    expect(asked).toMatchObject({ refused: true, code: 'OBLIGATION_UNSUPPORTED' });
  });

  it('the strictest of several masks counts', () => {
    const asked = mask({
      '$.a': { using: 'partial', keep: 4 },
      '$..a': { using: 'null' },
      '$.b': { using: 'partial', keep: 4 },
      '$[*]': { using: 'partial', keep: 2 },
    });
    expect(JSON.parse(sent(asked, '{"a":"12345678","b":"12345678"}'))).toEqual({ a: null, b: '***78' });
  });

  it('named fields stand where the description says; in an answer that is not described, anywhere', () => {
    const output = [
      { field: 'Customer.ssn', path: '$.items[*].x' },
      { field: '?.ssn', path: '$.y' },
      { field: 'Customer.name', path: '$.name' },
    ];
    const columns: Record<string, Mask> = { 'Customer.ssn': { using: 'redact' } };
    const document = JSON.stringify({ items: [{ x: CANARY }], y: CANARY, name: 'Ann', ssn: 'not it' });
    expect(JSON.parse(sent(mask({}, columns, output), document))).toEqual({ items: [{ x: '***' }], y: '***', name: 'Ann', ssn: 'not it' });
    expect(JSON.parse(sent(mask({}, columns), JSON.stringify({ a: [{ SSN: CANARY }] })))).toEqual({ a: [{ SSN: '***' }] });
    expect(sent(mask({}, columns, []), '{ "ssn": "described, and not the customer’s" }')).toContain('described');
  });

  it('says how often each mask was put on', () => {
    const open = mask({ '$..ssn': { using: 'redact' }, '$.card': { using: 'partial' } });
    const plan = planned(open, json());
    plan.body?.push(Buffer.from('{"ssn":1,"card":"4111111111111111","x":"{\\"ssn\\":1}","l":[{"ssn":2}]}'));
    plan.body?.end();
    expect(plan.body?.masked).toEqual({ '$..ssn': 3, '$.card': 1 });
  });
});

describe('answers with masks: how values hide (H8)', () => {
  it.each([
    ['an escaped name', '{"s\\u0073n":"123-45-6789"}'],
    ['an escaped value', '{"ssn":"\\u0031\\u00323-45-6789"}'],
    ['a number', '{"ssn":123456789}'],
    ['another case', '{"SsN":"123-45-6789"}'],
    ['letters that some readers fold', '{"\u017fsn":"123-45-6789"}'],
    ['wide letters', '{"\uff53\uff53\uff4e":"123-45-6789"}'],
    ['a list', '{"ssn":["123-45-6789"]}'],
    ['an object', '{"ssn":{"value":"123-45-6789"}}'],
    ['JSON in a string', '{"data":"{\\"ssn\\":\\"123-45-6789\\"}"}'],
    ['JSON in a string, blanks before', '{"data":" \\n [{\\"ssn\\":\\"123-45-6789\\"}]"}'],
    ['JSON in a string, its brace escaped', '{"data":"\\u007b\\"ssn\\":\\"123-45-6789\\"}"}'],
    ['JSON in JSON in a string', JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ ssn: CANARY }) }) })],
    ['a string in a string', JSON.stringify({ a: JSON.stringify(JSON.stringify({ ssn: CANARY })) })],
    ['lines of JSON in a string', JSON.stringify({ a: `{"id":1}\n{"ssn":"${CANARY}"}` })],
    ['JSON in a string, cut off', '{"data":"{\\"ssn\\":\\"123-45-6789"}'],
    ['JSON too deep in strings', nestedStrings({ ssn: CANARY }, 7)],
    ['a long text of JSON', JSON.stringify({ a: JSON.stringify({ x: 'y'.repeat(300_000), ssn: CANARY }) })],
    ['base64', JSON.stringify({ a: Buffer.from(`{"ssn":"${CANARY}"}`).toString('base64') })],
    [
      'base64 with blanks',
      JSON.stringify({
        a: Buffer.from(` [ {"ssn":"${CANARY}"} ]`)
          .toString('base64')
          .replaceAll(/(.{10})/g, '$1\n'),
      }),
    ],
    ['a token', JSON.stringify({ a: `eyJhbGciOiJub25lIn0.${Buffer.from(`{"ssn":"${CANARY}"}`).toString('base64url')}.x` })],
  ])('%s', (_, document) => {
    const clear = [CANARY, '123456789', Buffer.from(`"${CANARY}`).toString('base64').slice(4, 14)];
    for (const size of [1, 2, 3, 7, 1 << 20]) {
      if (document.length > 10_000 && size < 1000) continue;
      const out = sent(mask(SSN), document, size);
      for (const text of clear) expect(out).not.toContain(text);
      expect(out).not.toMatch(/u0031/);
    }
  });

  it.each([
    ['a member twice', '{"ssn":"1","a":2,"ssn":"123-45-6789"}'],
    ['a member twice, once escaped', '{"ssn":"1","\\u0073sn":"123-45-6789"}'],
    ['a second document', '{"id":1}{"ssn":"123-45-6789"}'],
    ['text behind', '{"id":1} 123-45-6789'],
    ['a comma too many', '{"id":[1,],"ssn":"123-45-6789"}'],
    ['a comment', '{/*"*/"id":1,"ssn":"123-45-6789"}'],
    ['single quotes', "{'ssn':'123-45-6789'}"],
    ['a byte order mark', '\ufeff{"ssn":"123-45-6789"}'],
    ['a prefix against scripts', ')]}\',\n{"ssn":"123-45-6789"}'],
    ['brackets that do not fit', '{"a":[1},"ssn":"123-45-6789"}'],
    ['a control character', '{"a":"\u0001","ssn":"123-45-6789"}'],
    ['a wrong escape', '{"a":"\\x41","ssn":"123-45-6789"}'],
    ['a wrong number', '{"a":01,"ssn":"123-45-6789"}'],
    ['a wrong word', '{"a":nil,"ssn":"123-45-6789"}'],
    ['no end', '{"id":1,"ssn":"123-45-6789'],
    ['too deep', `${'['.repeat(600)}"123-45-6789"${']'.repeat(600)}`],
    ['a name too long', `{"${'n'.repeat(5000)}":"123-45-6789"}`],
    ['text that is not JSON', 'ssn: 123-45-6789'],
  ])('%s ends the answer, and what follows never leaves', (_, document) => {
    for (const size of [1, 5, 1 << 20]) {
      const { text, refused } = run(mask(SSN), document, size);
      expect(refused).toMatchObject({ refused: true, code: 'ANSWER_UNMASKABLE' });
      expect(text).not.toContain(CANARY);
    }
  });

  it.each([
    ['overlong', [0xc0, 0xaf]],
    ['a lone continuation', [0x80]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
    ['UTF-16', [0xff, 0xfe]],
    ['cut in a character', [0xe2, 0x82]],
  ])('bytes that are not UTF-8 end it: %s', (_, bytes) => {
    const document = Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from(`","ssn":"${CANARY}"}`)]);
    for (const size of [1, 2, 1 << 20]) expect(run(mask(SSN), document, size).refused).not.toBeNull();
  });

  it('what is not masked leaves byte for byte', () => {
    const document =
      ' {"n":9007199254740993,\t"f":1.10e+05, "t":"\\u00e9é\\/", "z":[ ], "order_id":"555-12-34567","e":"everyone [x]","w":"[draft] W3 {a","j":"{\\"a\\":1}","b":"eyJhIjoxfQ=="}\r\n';
    for (const size of [1, 3, 1 << 20]) expect(sent(mask(SSN), document, size)).toBe(document);
  });

  it('any document, cut anywhere, is masked as a plain walk over it would', () => {
    const names = fc.constantFrom('ssn', 'Ssn', 'a', 'b', 'items', 'x y', 'é', 'longer_name');
    const scalar = fc.oneof(fc.string({ unit: 'binary' }), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.constant(null));
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        scalar,
        fc.array(tie('value'), { maxLength: 4 }),
        fc
          .uniqueArray(fc.tuple(names, tie('value')), { maxLength: 5, selector: ([name]) => name.toLowerCase() })
          .map((pairs) => Object.fromEntries(pairs)),
      ),
    })).value;
    fc.assert(
      fc.property(tree, fc.integer({ min: 1, max: 40 }), fc.constantFrom(0, 1), (value, size, indent) => {
        const document = JSON.stringify(value, null, indent) as string;
        const asked = mask({ '$..ssn': { using: 'null' }, '$.items.a': { using: 'redact' } });
        expect(JSON.parse(sent(asked, document, size))).toEqual(JSON.parse(JSON.stringify(walked(value, true, false))));
      }),
      { numRuns: 120 },
    );
  });

  it('whatever the bytes, nothing is thrown, and an answer that is let through is one document without the masked member', () => {
    const pieces = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"ssn"',
      '"a"',
      '"',
      '\\',
      '\\u0073',
      `"${CANARY}"`,
      '1',
      '-',
      'e',
      'true',
      ' ',
      '\n',
      'x',
      '\0',
      'é',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 14 }), fc.integer({ min: 1, max: 5 }), (parts, size) => {
        const { text, refused } = run(mask({ '$..ssn': { using: 'null' } }), parts.join(''), size);
        if (refused !== null || parts.join('').trim() === '') return;
        expect(JSON.stringify(JSON.parse(text))).not.toMatch(/"ssn":[^n]/);
        expect(() => JSON.parse(parts.join('')) as unknown).not.toThrow();
      }),
      { numRuns: 1_500 },
    );
  });
});

/** What the masks `$..ssn` as null and `$.items.a` (through lists) as redacted make of a value. */
function walked(value: unknown, root: boolean, items: boolean): unknown {
  if (Array.isArray(value)) return value.map((one) => walked(one, root, items));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => {
      if (name.toLowerCase() === 'ssn') return [name, null];
      if (items && name === 'a') return [name, redacted(inner)];
      return [name, walked(inner, false, root && name === 'items')];
    }),
  );
}

function redacted(value: unknown): unknown {
  if (Array.isArray(value)) return [];
  if (value === null) return null;
  return { string: '***', number: 0, boolean: false, object: {} }[typeof value as 'string'];
}

function nestedStrings(value: unknown, times: number): string {
  return times === 0 ? JSON.stringify(value) : JSON.stringify({ a: nestedStrings(value, times - 1) });
}
