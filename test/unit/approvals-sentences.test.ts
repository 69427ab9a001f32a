/** The sentence that a reviewer reads (A7): what a careful DBA would say, and never true of a statement that does something else. */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { SENTENCE_CHARS_MAX, withoutLiterals } from '#engine/approvals/sentence';
import { type Word, wordsOf } from '#engine/approvals/sentence/words';
import { LEXED } from '#engine/approvals/text/lexer';
import type { CorpusCase } from '#test/corpus/case';
import { draft, openDesk } from '#test/support/approvals';
import { openFacts } from '#test/support/facts';
import { type SentenceCase, sentenceCases, tell, type Told } from '#test/support/sentences';

const facts = openFacts();
afterAll(() => facts.close());

const CASES = sentenceCases();

test('there are 60 cases at least', () => {
  expect(CASES.length).toBeGreaterThanOrEqual(60);
});

test.each(CASES.map((one) => [one.says, one] as const))('says: %s', async (says, one) => {
  expect((await tell(facts, one)).says).toBe(says);
});

/** What it would run, but for blanks and comments; and under which settings. */
function meaning({ sql, settings, params }: Omit<SentenceCase, 'says'>): string {
  return JSON.stringify([wordsOf(Buffer.from(sql)).map(({ text }) => text), settings, params]);
}

test('A7: no two of them share a sentence', () => {
  const meanings = new Map<string, string>();
  for (const one of CASES) {
    const before = meanings.get(one.says);
    if (before !== undefined) expect(meaning(one)).toBe(before);
    meanings.set(one.says, meaning(one));
  }
});

/** Words that may be left out or put in without another meaning. */
const NOISE = new Set([
  'as',
  'column',
  'table',
  'privileges',
  'work',
  'transaction',
  ';',
  'full',
  'trigger',
  'data',
  'to',
  '=',
  'login',
  'role',
  'on',
]);

interface Variant {
  readonly what: string;
  readonly sql: string;
}

/** Near variants: another table, column, value, condition; a word more or less; no WHERE; OR true; a second statement. */
function variants(sql: string): readonly Variant[] {
  const words = wordsOf(Buffer.from(sql));
  const at = (index: number, ...instead: string[]): string => words.flatMap(({ text }, each) => (each === index ? instead : [text])).join(' ');
  const where = words.findIndex(({ text }) => text === 'where');
  const end = words.findIndex(({ text }, index) => index > where && ['returning', 'order', 'limit', 'for', ')'].includes(text));
  const wheres =
    where < 0
      ? []
      : [
          { what: 'no where', sql: joined([...words.slice(0, where), ...(end < 0 ? [] : words.slice(end))]) },
          { what: 'or true', sql: `${joined(words.slice(0, end < 0 ? words.length : end))} or true ${end < 0 ? '' : joined(words.slice(end))}` },
          { what: 'and', sql: `${joined(words.slice(0, end < 0 ? words.length : end))} and zz = 1 ${end < 0 ? '' : joined(words.slice(end))}` },
        ];
  const each = words.flatMap((word, index) => [
    { what: `another ${word.text}`, sql: at(index, another(word.text)) },
    ...(NOISE.has(word.text) ? [] : [{ what: `no ${word.text}`, sql: at(index) }]),
    ...(word.text === ';' ? [] : [{ what: `twice ${word.text}`, sql: at(index, word.text, word.text) }]),
  ]);
  return [
    ...each,
    ...wheres,
    { what: 'returning', sql: `${sql} returning zz` },
    { what: 'a second statement', sql: `${sql}\n; delete from zz` },
    { what: 'a first statement', sql: `delete from zz; ${sql}` },
    { what: 'cascade', sql: `${sql}\n cascade` },
    { what: 'explain', sql: `explain ${sql}` },
    { what: 'in a with', sql: `with zz as (delete from zz returning *) ${sql}` },
  ].filter((one) => one.sql !== sql);
}

function joined(words: readonly Word[]): string {
  return words.map(({ text }) => text).join(' ');
}

const OTHERS: Readonly<Record<string, string>> = {
  select: 'insert',
  insert: 'select',
  and: 'or',
  or: 'and',
  cascade: 'restrict',
  restart: 'continue',
  matched: 'not matched',
  nothing: 'update set zz = 1',
  commit: 'rollback',
  local: 'session',
  disable: 'enable',
  grant: 'revoke',
  to: 'from',
  from: 'to',
  '=': '<>',
  '>': '<',
  '*': '+',
  analyze: 'verbose',
  // STDIN and STDOUT mean the same
  stdin: "'/tmp/x'",
  program: '',
  share: 'exclusive',
  nowait: '',
  true: 'false',
  distinct: 'not distinct',
};

function another(word: string): string {
  const other = OTHERS[word];
  if (other !== undefined) return other;
  if (/^\d+$/.test(word)) return String(Number(word) + 1);
  if (word.endsWith("'")) return `${word.slice(0, -1)}z'`;
  if (word.endsWith('$$')) return `${word.slice(0, -2)}z$$`;
  if (word.endsWith('"')) return `${word.slice(0, -1)}z"`;
  return /^\w+$/.test(word) ? `${word}z` : `${word}+`;
}

describe('A7: a near variant that runs has another sentence', () => {
  let told = 0;
  test.each(CASES.map((one) => [one.sql, one] as const))('%s', async (_, one) => {
    for (const variant of variants(one.sql)) {
      const other = await tell(facts, { ...one, sql: variant.sql });
      if (!other.parsed || meaning({ ...one, sql: variant.sql }) === meaning(one)) continue;
      told += 1;
      if (isPassword(one, variant)) continue;
      expect(other.says, `${variant.what}: ${variant.sql}`).not.toBe(one.says);
    }
  });
  test('most of them run', () => {
    expect(told).toBeGreaterThan(800);
  });
});

/** A password is in no sentence. */
function isPassword(one: SentenceCase, { what }: Variant): boolean {
  return one.sql.includes('PASSWORD') && what.includes('hunter2');
}

describe('is bounded and safe', () => {
  test('a long condition is cut, says so, and is not another long condition', async () => {
    const long = (last: string) => `delete from t where id in (${Array.from({ length: 700 }, (_, i) => i).join(', ')}, ${last})`;
    const [a, b] = [await tell(facts, { sql: long('1') }), await tell(facts, { sql: long('2') })];
    expect(a.says).toMatch(/^deletes the rows of `t` where id in \(0, 1, .* … \([\d,]+ more characters\) \(digest [0-9a-f]{12}\)$/);
    expect(a.says.length).toBeLessThan(700);
    expect(a.says).not.toBe(b.says);
  });
  test('of many statements each is told, and none is cut away', async () => {
    const sql = Array.from({ length: 30 }, (_, i) => `update t${i} set note = '${'x'.repeat(150)}' where id = ${i}`).join('; ');
    const { says } = await tell(facts, { sql });
    expect(says.length).toBeLessThanOrEqual(SENTENCE_CHARS_MAX);
    for (let number = 1; number <= 10; number += 1) expect(says).toContain(`${number}. sets note`);
    expect(says).toMatch(/^30 statements: /);
    expect(says).toContain('and 20 more statements (UPDATE)');
  });
  test('where payloads are not kept in clear, no literal stands in it', async () => {
    const sql = "update t set a = 'secret', b = 4711 where c = $1 and d = $$secret$$ and e = E'secret'";
    const { says } = await tell(facts, { sql, params: ['text secret'] }, { literals: false, digest: '' });
    expect(says).toBe("sets a = '?', b = ? in the rows of `t` where c = $1 and d = '?' and e = '?'");
  });
  test('nor of any statement that we know, whatever is said of it instead', async () => {
    const secret = 's3cret_4711';
    const withSecrets = ({ sql }: SentenceCase): string =>
      wordsOf(Buffer.from(sql))
        .map(({ kind, text }) => (kind === LEXED.string ? `'${secret}'` : kind === LEXED.number ? '47114711' : text))
        .join(' ');
    const more = [
      `set app.key = '${secret}'`,
      `set local app.key to '${secret}'; delete from t`,
      `select set_config('app.key', '${secret}', false); update t set a = 1`,
      `alter role bob set app.key = '${secret}'`,
      `alter system set app.key = '${secret}'`,
      `do $$ begin execute 'delete from t where a = ''${secret}'''; perform set_config('app.key', '${secret}', true); end $$`,
      `delete from t where a = '${secret}`,
      `prepare p as delete from t where a = '${secret}'`,
      `create user bob password '${secret}'`,
      `select pg_notify('x', '${secret}'), f('${secret}') from t`,
      `notify x, '${secret}'`,
      `comment on table t is '${secret}'`,
      `copy t from program 'curl ${secret}'`,
      `create subscription s connection 'password=${secret}' publication p`,
      `create server s foreign data wrapper w options (password '${secret}')`,
      `explain (analyze) delete from t where a = '${secret}'`,
    ];
    const leaks: string[] = [];
    for (const sql of [...CASES.map(withSecrets), ...more]) {
      const { says } = await tell(facts, { sql, params: [`text ${secret}`] }, { literals: false, digest: '' });
      if (/s3cret_4711|47114711/.test(says)) leaks.push(`${sql} → ${says}`);
    }
    expect(leaks).toEqual([]);
  });
  test.each(['clear', 'redacted'] as const)('nor in the record of a request, then: %s', async (payloads) => {
    const text = "delete from payments where note = 'secret'";
    const one = await openDesk({ payloads });
    const objects = ["1 before it: update t set a = 'secret'", 'delete public.payments'];
    const estimate = { state: 'error', detail: '22P02 invalid input syntax for type integer: "secret"' } as const;
    await one.book.request(draft({ text, params: null, facts: await facts.read(text), objects, estimate, transaction: 'open' }));
    const [requested] = one.disk.events;
    expect(JSON.stringify(requested).includes('secret')).toBe(payloads === 'clear');
    expect(one.book.list()[0]?.summary).toBe(
      `deletes the rows of \`payments\` where note = '${payloads === 'clear' ? 'secret' : '?'}'; before it, its transaction ran 1 other statement`,
    );
    // who decides sees it all
    expect(one.book.list()[0]?.binding.objects).toEqual(objects);
    one.book.close();
  });
  test('what leaves for a chat or a mail has no string in it, however it was quoted', async () => {
    const secret = 's3cret';
    const spellings = [
      `'${secret}'`,
      `'it''s ${secret}'`,
      `E'it\\'s ${secret}'`,
      `$$${secret}$$`,
      `$a$'${secret}$a$`,
      `U&'${secret}'`,
      `E'\\\\' || '${secret}'`,
      `'${secret}${'x'.repeat(400)}'`,
    ];
    for (const spelling of spellings) {
      for (const sql of [
        `update t set a = ${spelling} where b = ${spelling}`,
        `insert into t values (${spelling})`,
        `select f(${spelling}) from t`,
        `comment on table t is ${spelling}`,
      ]) {
        const { says, parsed } = await tell(facts, { sql, params: [`text ${secret}`] });
        if (!parsed) continue;
        expect(withoutLiterals(says), says).not.toContain(secret);
      }
    }
    const named = await tell(facts, { sql: `delete from "it's" where "a'b" = '${secret}'` });
    expect(withoutLiterals(named.says)).toBe(`deletes the rows of "it's" where "a'b" = '…'`);
    const many = await tell(facts, {
      sql: Array.from({ length: 10 }, (_, i) => `update t${i} set a = '${'x'.repeat(140)}', b = '${secret}', c = '${'x'.repeat(140)}'`).join('; '),
    });
    expect(withoutLiterals(many.says)).not.toContain(secret);
    const { says } = await tell(facts, { sql: 'delete from t where a = $1', params: [`text ${secret}'`] });
    expect(withoutLiterals(says)).toBe("deletes the rows of `t` where a = $1 ('…')");
  });
  test('a back-tick is the sentence’s own', async () => {
    const { says } = await tell(facts, { sql: 'update t set a = \'` where id = 1 `\' where "x`y" = 2' });
    expect(says).toBe('sets a = \'‹U+0060 GRAVE ACCENT› where id = 1 ‹U+0060 GRAVE ACCENT›\' in the rows of `t` where "x‹U+0060 GRAVE ACCENT›y" = 2');
    const named = await tell(facts, { sql: 'drop table "a`b"' });
    expect(named.says.split('`').length).toBe(1);
  });
  test('a part of what its transaction did before is said', async () => {
    expect((await tell(facts, { sql: 'delete from t where id = 1' })).says).not.toContain('before it');
  });

  const CORPUS = ['public/sql', 'public/mask', 'cases/classes', 'cases/more', 'cases/orm'].flatMap((file) =>
    readFileSync(new URL(`../corpus/${file}.jsonl`, import.meta.url), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as CorpusCase),
  );
  test('every text of the corpus has one; texts with other effects have another', async () => {
    const texts = [...new Set(CORPUS.flatMap(({ payload, steps = [] }) => [payload, ...steps.flatMap(({ sql }) => sql ?? [])]))];
    const told = new Map<string, Told & { readonly sql: string }>();
    for (const sql of texts) {
      const one = await tell(facts, { sql });
      expect(one.says).toMatch(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u);
      expect(one.says.length).toBeLessThanOrEqual(SENTENCE_CHARS_MAX);
      const before = told.get(one.says);
      if (before !== undefined) expect([sql, one.effects]).toEqual([sql, before.effects]);
      told.set(one.says, { ...one, sql });
    }
    expect(told.size).toBeGreaterThan(400);
  });

  const words = CASES.flatMap(({ sql }) => wordsOf(Buffer.from(sql)).map(({ text }) => text));
  test('any words in any order have one, if they run', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(...words), { maxLength: 12 }), async (some) => {
        const { says } = await tell(facts, { sql: some.join(' ') });
        expect(says.length).toBeGreaterThan(0);
      }),
    );
  });
});

test('what is too long to be quoted has a short sentence, and another one for another text', async () => {
  const long = (last: string): Promise<Told> => tell(facts, { sql: `delete from t where a = '${'x'.repeat(66_000)}${last}'` });
  const [one, other] = [await long('1'), await long('2')];
  expect(one.says).toMatch(
    /^deletes from `public\.t` where a column equals a value: its text of 66,027 bytes is too long to be quoted here \(digest [0-9a-f]{12}\)$/,
  );
  expect(other.says).not.toBe(one.says);
});
