import fc from 'fast-check';
import { Value } from 'typebox/value';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Parser } from '#engine/facts/postgres/parser';
import { PostgresFacts, paramsThatFlowToCode } from '#engine/facts/postgres/reader';
import { SqlFacts } from '#schemas/sql-facts';

/** Longer than in service: machines that run tests are busy. */
const reader = new PostgresFacts({ majors: [15, 17], worker: { deadlineMs: 1_000 } });
const context = { major: 15, database: 'shop', settings: { search_path: 'public' }, catalog: null };
const read = (sql: string | Uint8Array, over: Partial<typeof context> = {}): SqlFacts | Promise<SqlFacts> =>
  reader.read(typeof sql === 'string' ? Buffer.from(sql) : sql, { ...context, ...over });

beforeAll(() => reader.ready());
afterAll(() => reader.close());

describe('reading (M1–M3, P14, P15, P21)', () => {
  it('answers a short text at once, and the same object again', () => {
    const first = reader.read(Buffer.from('SELECT 1'), context);
    expect(first).not.toBeInstanceOf(Promise);
    expect(reader.read(Buffer.from('SELECT 1'), context)).toBe(first);
    expect(reader.read(Buffer.from('SELECT 2'), context)).not.toBe(first);
    expect(reader.read(Buffer.from('SELECT 1'), { ...context, major: 17 })).not.toBe(first);
    expect(reader.read(Buffer.from('SELECT 1'), { ...context, database: 'other' })).not.toBe(first);
    expect(reader.read(Buffer.from('SELECT 1'), { ...context, settings: { search_path: 'other' } })).not.toBe(first);
  });

  it('reads a long text in the worker as it reads a short one', async () => {
    const short = await read('SELECT id FROM orders WHERE note = $1');
    const long = read(`SELECT id FROM orders WHERE note = $1${' '.repeat(5000)}`);
    expect(long).toBeInstanceOf(Promise);
    const { statements, effects } = await long;
    expect(effects).toEqual(short.effects);
    expect({ ...statements[0], span: null }).toEqual({ ...short.statements[0], span: null });
  });

  it('P14: NUL and ill-formed UTF-8 are refused, wherever they stand', async () => {
    for (const text of [
      Buffer.from('SELECT 1\0; DROP TABLE x'),
      Buffer.from([0x53, 0xff]),
      Buffer.from([0xed, 0xa0, 0x80]),
      Buffer.concat([Buffer.alloc(9000, ' '), Buffer.from([0xc0, 0x80])]),
    ]) {
      const { parsed, opaque } = await read(text);
      expect({ parsed, codes: opaque.map((each) => each.code) }).toEqual({ parsed: false, codes: ['encoding'] });
    }
  });

  it('M2: another major is refused, and one grammar is not another’s', async () => {
    expect((await read('SELECT 1', { major: 16 })).opaque[0]?.code).toBe('unsupported');
    const newer = 'MERGE INTO t USING s ON true WHEN NOT MATCHED BY SOURCE THEN DELETE';
    expect((await read(newer)).opaque[0]?.code).toBe('syntax');
    expect((await read(newer, { major: 17 })).parsed).toBe(true);
  });

  it('a syntax error is told with its byte offset', async () => {
    const text = "SELECT 'ä' FRM x y";
    expect((await read(text)).opaque).toEqual([
      {
        code: 'syntax',
        detail: 'syntax error at or near "x"',
        span: { start: Buffer.from("SELECT 'ä' FRM ").length, end: Buffer.from(text).length },
      },
    ]);
  });

  it.each([
    ['a long list', `SELECT 1 WHERE 1 IN (${'1,'.repeat(30_000)}1)`],
    ['a long chain', `SELECT 'a'${"||'a'".repeat(1000)}`],
    ['a chain that overflows the stack', `SELECT 1${'+1'.repeat(60_000)}`],
    ['nested comments', `${'/*'.repeat(50_000)}${'*/'.repeat(50_000)} SELECT 1`],
    ['brackets', `SELECT ${'('.repeat(40_000)}1${')'.repeat(40_000)}`],
    ['nested CASE', `SELECT ${'CASE WHEN true THEN '.repeat(300)}1${' END'.repeat(300)}`],
    ['nested sub-queries', `SELECT ${'(SELECT '.repeat(300)}1${')'.repeat(300)}`],
    ['nested arrays', `SELECT ${'ARRAY['.repeat(300)}1${']'.repeat(300)}`],
    ['set operations', `SELECT 1${' UNION SELECT 1'.repeat(300)}`],
    ['casts', `SELECT 1${'::int'.repeat(800)}`],
    ['signs', `SELECT ${'- '.repeat(1500)}x`],
  ])('P21: %s is over the budget, and the next text is read', async (_, text) => {
    const { parsed, statements, opaque } = await read(text);
    expect({ parsed, statements }).toEqual({ parsed: false, statements: [] });
    // the grammar itself gives up on deep brackets
    expect(['budget', 'syntax']).toContain(opaque[0]?.code);
    expect((await read('SELECT id FROM orders')).parsed).toBe(true);
    expect((await read(`SELECT id FROM orders${' '.repeat(5000)}`)).parsed).toBe(true);
  });

  it('P21: what is within the budget is read', async () => {
    expect((await read(`SELECT ${'x + '.repeat(150)}1 FROM t`)).parsed).toBe(true);
    expect((await read(`SELECT 1 WHERE 1 IN (${'1,'.repeat(5_000)}1)`)).parsed).toBe(true);
  });

  it('more long texts than may wait are refused, the others read', async () => {
    const small = new PostgresFacts({ majors: [15], worker: { queueMax: 2, deadlineMs: 1_000 } });
    const asked = Array.from({ length: 8 }, async (_, at) => small.read(Buffer.from(`SELECT ${at}${' '.repeat(5000)}`), context));
    const told = await Promise.all(asked);
    expect(told.filter((each) => each.parsed)).toHaveLength(2);
    expect(told.filter((each) => each.opaque[0]?.code === 'budget')).toHaveLength(6);
    await small.close();
  });

  it('what takes longer than the deadline is killed, and the spare reads on', async () => {
    const hasty = new PostgresFacts({ majors: [15], worker: { deadlineMs: 100 } });
    const slow = hasty.read(Buffer.from(`${'/*'.repeat(50_000)}${'*/'.repeat(50_000)} SELECT 1`), context);
    expect((await slow).opaque).toEqual([{ code: 'budget', detail: 'parsing took longer than 100 ms, or grew larger than its heap' }]);
    await hasty.close();
    expect((await hasty.read(Buffer.from(`SELECT 1${' '.repeat(5000)}`), context)).opaque[0]?.detail).toBe('the reader is closed');
  });

  it('E3: forty-five traps in a row leave a parser that reads', async () => {
    const parser = await Parser.open(15);
    const bomb = `SELECT 1${'+1'.repeat(60_000)}`;
    let trapped = 0;
    for (let round = 0; round < 45; round += 1) {
      try {
        parser.parse(bomb);
      } catch {
        trapped += 1;
      }
      await parser.ready();
      expect(parser.parse('SELECT 1').stmts).toHaveLength(1);
    }
    expect(trapped).toBe(45);
  });

  it('spans are UTF-8 bytes and cover each statement', async () => {
    const text = "SELECT 'ä'; \n DELETE FROM t WHERE x = 'ö' ;; SELECT 3";
    const { statements } = await read(text);
    expect(statements.map(({ span }) => Buffer.from(text).subarray(span.start, span.end).toString())).toEqual([
      "SELECT 'ä'",
      "DELETE FROM t WHERE x = 'ö' ",
      'SELECT 3',
    ]);
  });

  it('P10: parameters that become code are named', async () => {
    const flows = async (sql: string): Promise<number[]> => [...paramsThatFlowToCode(await read(sql))].sort((a, b) => a - b);
    expect(await flows('SELECT set_config($1, $2, false), $3')).toEqual([1, 2]);
    expect(await flows('SELECT query_to_xml($2, true, false, $1)')).toEqual([1, 2]);
    expect(await flows("SELECT pg_read_file('/x/' || $1), current_setting($2), nextval($3)")).toEqual([1, 2, 3]);
    expect(await flows('SELECT id FROM orders WHERE note = $1 LIMIT $2')).toEqual([]);
  });
});

describe('shape', () => {
  const shape = async (sql: string): Promise<string | undefined> => (await read(sql)).statements[0]?.shape;

  it('is the same for other literals, blanks and comments', async () => {
    const expected = await shape("SELECT id FROM orders WHERE note = 'x' AND id = 1 LIMIT 5");
    expect(await shape("select  id\n from ORDERS where note = E'it''s' and id = -7 /* c */ limit 50 -- x")).toBe(expected);
    expect(await shape("SELECT id FROM orders WHERE note = 'x' AND id = $1 LIMIT 5")).not.toBe(expected);
    expect(await shape("SELECT id FROM orders WHERE note = 'x' OR id = 1 LIMIT 5")).not.toBe(expected);
    expect(await shape(`SELECT id FROM "Orders" WHERE note = 'x' AND id = 1 LIMIT 5`)).not.toBe(expected);
  });

  it('keeps literals that decide what is done', async () => {
    expect(await shape('SET ROLE a')).not.toBe(await shape('SET ROLE b'));
    expect(await shape("SELECT set_config('role', 'a', false)")).not.toBe(await shape("SELECT set_config('role', 'b', false)"));
    expect(await shape("SELECT run_sql('SELECT 1')")).not.toBe(await shape("SELECT run_sql('DROP TABLE x')"));
    expect(await shape("SELECT table_to_xml('a'::regclass)")).not.toBe(await shape("SELECT table_to_xml('b'::regclass)"));
    expect(await shape("DO 'begin end'")).not.toBe(await shape("DO 'begin x; end'"));
    expect(await shape("SELECT lower('a')")).toBe(await shape("SELECT lower('b')"));
  });
});

describe('totality (M3): whatever the bytes are, there are facts', () => {
  const ALPHABET = [
    'SELECT ',
    'FROM ',
    't',
    '.',
    '"',
    "'",
    '$$',
    '$1',
    '(',
    ')',
    ',',
    '::',
    '/*',
    '*/',
    '--',
    '\n',
    ';',
    'WITH ',
    'AS ',
    'DELETE ',
    'UPDATE t SET a=',
    'WHERE ',
    '1',
    '\\',
    'é',
    '\u{1f600}',
    'E',
    'U&',
    '[',
    ']',
  ].concat([
    ' AND ',
    '=',
    '|| ',
    'IN (SELECT 1)',
    'lower(',
    'CASE WHEN ',
    ' END',
    'JOIN t ON ',
    'LATERAL ',
    'EXPLAIN ',
    'CREATE VIEW v AS ',
    'GRANT ',
    'SET x = ',
    'VALUES (1)',
    'RETURNING *',
  ]);
  const SEEDS = [
    'WITH a AS (DELETE FROM t RETURNING *) SELECT a.*, (SELECT max(x) FROM u WHERE u.id = a.id) FROM a JOIN b USING (id) ORDER BY 1 LIMIT 2',
  ].concat(
    [
      "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET a = excluded.a WHERE t.b = 'x' RETURNING a",
      'CREATE TABLE t (a int DEFAULT f(1), b x.y[] CHECK (a > 1))',
    ],
    [
      'MERGE INTO t USING s ON t.a = s.a WHEN MATCHED THEN UPDATE SET a = 1',
      'ALTER TABLE t ADD COLUMN c int GENERATED ALWAYS AS (a + 1) STORED',
      'COPY (SELECT 1) TO STDOUT',
    ],
  );

  const holds = async (bytes: Uint8Array): Promise<void> => {
    for (const major of [15, 17]) {
      const told = await read(bytes, { major });
      expect(Value.Check(SqlFacts, told)).toBe(true);
      expect(told.parsed || told.opaque.length > 0).toBe(true);
      expect(told.opaque.some((each) => each.detail === 'the walker failed')).toBe(false);
      JSON.stringify(told);
    }
  };

  it('random bytes', () => fc.assert(fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), holds), { numRuns: 300 }));
  it('random words', () =>
    fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom(...ALPHABET), { maxLength: 40 }).map((words) => Buffer.from(words.join(''))),
        holds,
      ),
      { numRuns: 1000 },
    ));
  it('mutated statements', () =>
    fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...SEEDS),
        fc.array(fc.tuple(fc.nat(200), fc.nat(3), fc.constantFrom(...ALPHABET)), { maxLength: 4 }),
        async (seed, edits) => {
          let text = seed;
          for (const [at, cut, word] of edits) text = text.slice(0, at) + word + text.slice(at + cut);
          await holds(Buffer.from(text.toWellFormed()));
        },
      ),
      { numRuns: 1000 },
    ));
});
