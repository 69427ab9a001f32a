/** Masked values that stand in texts, and beside the names of their fields (H8). */
import { describe, expect, it } from 'vitest';
import { FieldNames } from '#enforcers/common/json-mask/field-names';
import { CANARY, SSN, mask, run } from '#test/support/http-answers';

const names = new FieldNames(['ssn', 'card_number']);

describe('texts that say what a masked value is (H8)', () => {
  it.each([
    `row: {"ssn":"${CANARY}"}`,
    `{'ssn': '${CANARY}'}`,
    `{ssn: "${CANARY}"}`,
    `{"a":NaN,"\\u0073sn":"x"}`,
    `id=1&ssn=x`,
    `%7B%22SSN%22%3A%22x%22%7D`,
    `<ssn>x</ssn>`,
    `<c:ssn type="a">x</c:ssn>`,
    `<c ssn="x"/>`,
    `&quot;ssn&quot;:&quot;x&quot;`,
    `Key (ssn)=(x) already exists`,
    `ssn => x`,
    `ssn ${CANARY}`,
    `ssn is ${CANARY}`,
    `ｓｓｎ: x`,
    `id: 1\nssn: x\n`,
    `id,ssn\n1,x\n`,
    `ssn\nx`,
    ` id | ssn \n----+-----\n  1 | x\n`,
    `card_number: x`,
  ])('%s', (text) => expect(names.saidIn(text)).toBe(true));

  it.each([
    'the ssn is not shown here',
    'ssn',
    'ssn:',
    'assn=1',
    'ssn_verified=true',
    'customer_ssn=1',
    'return "ssn"; }',
    'by ssn, name or card_number.\nThanks',
    'ssn (optional)',
    '?fields=id,ssn',
    'select the ssn of 12 customers',
  ])('no more than the name: %s', (text) => expect(names.saidIn(text)).toBe(false));

  it.each([1, 3, 7, 1000])('are withheld, cut in pieces of %i; what stands around them leaves', (size) => {
    const document = { a: 'x', m: `row: {"ssn":"${CANARY}"}`, b: [`ssn=${CANARY}`, 'the ssn is hidden'], c: `{"a":\u0007,"ssn":"${CANARY}"}` };
    const { text, refused } = run(mask(SSN), JSON.stringify(document), size);
    expect([JSON.parse(text), refused]).toEqual([{ a: 'x', m: '***', b: ['***', 'the ssn is hidden'], c: '***' }, null]);
  });

  it('in hexadecimal, in an address of data, or behind a byte order mark in base64', () => {
    const said = `{"ssn":"${CANARY}"}`;
    const coded = [
      Buffer.from(said).toString('hex'),
      `data:application/json;base64,${Buffer.from(said).toString('base64')}`,
      Buffer.from(`\ufeff${said}`).toString('base64'),
      Buffer.from(`{"a":NaN,"ssn":"${CANARY}"}`).toString('base64'),
    ];
    expect(JSON.parse(run(mask(SSN), JSON.stringify(coded), 5).text)).toEqual(coded.map(() => '***'));
    const others = ['7b9c2d10', 'data:image/png;base64,iVBORw0KGgo=', 'date', '7', '5b', 'e'];
    expect(JSON.parse(run(mask(SSN), JSON.stringify(others), 5).text)).toEqual(others);
  });

  it.each([100, 70_000])('a text too long to be kept back leaves until it says something, in pieces of %i', (size) => {
    const long = 'x'.repeat(600_000);
    expect(run(mask(SSN), JSON.stringify([long, 'the ssn']), size)).toMatchObject({ text: JSON.stringify([long, 'the ssn']), refused: null });
    const { text, refused } = run(mask(SSN), JSON.stringify([`${long} ssn=${CANARY} ${long}`]), size === 100 ? 997 : size);
    expect(refused).toMatchObject({ code: 'ANSWER_UNMASKABLE' });
    expect(text).not.toContain(CANARY);
  });

  it('a name that is a document is refused', () => {
    expect(run(mask(SSN), JSON.stringify({ [`{"ssn":"${CANARY}"}`]: 1 }), 9).refused).toMatchObject({ code: 'ANSWER_UNMASKABLE' });
  });

  it('where the answer is described, texts elsewhere are left alone', () => {
    const document = JSON.stringify({ items: [{ ssn: CANARY, note: 'ssn: none' }] });
    expect(run(mask({ '$.items[*].ssn': { using: 'redact' } }), document, 9).text).toContain('ssn: none');
  });
});

describe('values beside the name of their field (H8)', () => {
  it.each([
    [
      {
        columns: ['id', 'ssn'],
        rows: [
          [1, CANARY],
          [2, CANARY, 'x'],
        ],
      },
      {
        columns: ['id', 'ssn'],
        rows: [
          [1, '***'],
          [2, '***', 'x'],
        ],
      },
    ],
    [
      { fields: [{ name: 'id' }, { name: 'ssn' }], rows: [[1, CANARY]] },
      { fields: [{ name: 'id' }, { name: 'ssn' }], rows: [[1, '***']] },
    ],
    [
      [
        ['id', 'SSN'],
        [1, CANARY],
      ],
      [
        ['id', 'SSN'],
        [1, '***'],
      ],
    ],
    [
      {
        entries: [
          ['ssn', CANARY],
          ['id', 1],
        ],
      },
      {
        entries: [
          ['ssn', '***'],
          ['***', 0],
        ],
      },
    ],
    [
      [
        { name: 'ssn', value: CANARY },
        { name: 'id', value: 1 },
      ],
      [
        { name: 'ssn', value: '***' },
        { name: 'id', value: 1 },
      ],
    ],
    [
      { op: 'add', path: '/a/ssn', value: { x: CANARY } },
      { op: 'add', path: '/a/ssn', value: {} },
    ],
    [
      { field: 'ssn', old: CANARY, new: [CANARY] },
      { field: 'ssn', old: '***', new: [] },
    ],
    [
      { loc: ['body', 'ssn'], input: CANARY },
      { loc: ['body', 'ssn'], input: '***' },
    ],
  ])('are masked: %j', (document, masked) => {
    for (const size of [4, 1000]) expect(JSON.parse(run(mask(SSN), JSON.stringify(document), size).text)).toEqual(masked);
  });

  it.each([[{ rows: [[1, CANARY]], columns: ['id', 'ssn'] }], [{ value: CANARY, name: 'ssn' }], [{ input: CANARY, loc: ['body', 'ssn'] }]])(
    'behind which the name comes too late are refused: %j',
    (document) => {
      const { text, refused } = run(mask(SSN), JSON.stringify(document), 1000);
      expect(refused).toMatchObject({ code: 'ANSWER_UNMASKABLE' });
      expect(text).toBe('');
    },
  );

  it.each([
    [{ channels: ['ssn', 'sms'], list: [1, 2] }],
    [{ required: ['name', 'ssn'], data: [{ id: 1 }], content: 'x' }],
    [
      {
        kind: 'ssn',
        place: {
          polygon: [
            [1, 2],
            [3, 4],
          ],
        },
      },
    ],
    [[{ name: 'ssn', type: 'text', label: 'Number' }]],
  ])('nothing else is: %j', (document) => {
    expect(run(mask(SSN), JSON.stringify(document), 1000).text).toBe(JSON.stringify(document));
  });
});
