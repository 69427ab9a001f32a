import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { exportJournal } from '#engine/journal/export';
import { redactSql } from '#engine/journal/redact';
import { readJournal } from '#engine/journal/reader';
import { verifyJournal } from '#engine/journal/verify';
import { cleared, decided, received, text } from '#test/support/journal-events';
import { journalFolder } from '#test/support/journals';
import { cpuMs } from '#test/support/stopwatch';

describe('SQL without its literals', () => {
  test.each([
    ["select * from users where ssn = '123-45-6789' and age > 41", "select * from users where ssn = '?' and age > ?"],
    ["select 'it''s', E'a\\'b', U&'\\0441', b'01', x'ff', n'z'", "select '?', '?', '?', '?', '?', '?'"],
    ['select $$secret$$, $tag$ $$ secret $tag$, $1', "select '?', '?', $1"],
    ['select "a ""b"" 1", t1.c2, 1.5e10, .5, 0xff from t1', 'select "a ""b"" 1", t1.c2, ?, ?, ? from t1'],
    ['select 1 -- secret\n, 2 /* secret /* nested */ secret */ , 3', 'select ? \n, ?   , ?'],
    ["select 'no end secret", "select '?'"],
    ['select $a$ no end secret', "select '?'"],
    ['select 1 /* no end secret', 'select ?  '],
    ["update größe set käse = 'secret'", "update größe set käse = '?'"],
    ['select name1e5, e, x from e', 'select name1e5, e, x from e'],
  ])('%s', (sql, expected) => expect(redactSql(sql)).toBe(expected));

  test('no literal is left, whatever stands around it', () => {
    const secret = '7718834';
    const literals = [`'${secret}'`, `E'\\'${secret}'`, `$q$${secret}$q$`, secret, `-${secret}.5`, `/*${secret}*/`, `--${secret}\n`, `U&'${secret}'`];
    const noise = ['select', ' ', '(', ',', '"a"', "''", '$$$$', 'e', '::text', '$1', '\n', '||', 'é', '_x'];
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...noise, ...literals), { maxLength: 20 }), (parts) => {
        expect(redactSql(parts.join(' '))).not.toContain(secret);
      }),
      { numRuns: 500 },
    );
  });

  test('hostile texts take linear time', () => {
    for (const piece of ["'", '$a$', '/*', '"', "E'\\", '--', '$', '1.']) {
      expect(
        cpuMs(() => redactSql(piece.repeat(200_000 / piece.length))),
        piece,
      ).toBeLessThan(2_000);
    }
  });
});

test('N5: payloads redacted: no literal, parameter or fact stands in the journal, and it verifies', async () => {
  using folder = journalFolder();
  const journal = await folder.open({ payloads: 'redacted' });
  const payload = text("select * from users where ssn = '123-45-6789'");
  const statement = { sessionId: 'ses_1', statementId: 'stm_1', payload };
  journal.append({ ...received(statement), params: { bytes: Buffer.from('param-4242'), media: 'params' } });
  journal.append(decided(statement));
  journal.append(cleared(statement));
  journal.append({
    type: 'approval.verdict',
    approval_id: 'apr_1',
    stage: 's',
    outcome: 'deny',
    reviewer: { type: 'user', id: 'i|b', properties: { login: 'b', groups: [] } },
    comment: { bytes: Buffer.from('not on a Friday'), media: 'comment' },
  });
  await journal.close('test');
  const stored = readFileSync(join(folder.dir, '00000001.seg'));
  for (const secret of ['123-45', 'param-4242', '"dialect"']) expect(stored.includes(secret), secret).toBe(false);
  const found = [];
  for await (const event of readJournal(folder.dir)) found.push(event);
  expect(found.find(({ type }) => type === 'statement.received')).toMatchObject({
    payload: { digest: journal.digestOf(payload), bytes: 45, form: 'redacted' },
    params: { form: 'absent' },
  });
  expect(found.find(({ type }) => type === 'statement.decided')).toMatchObject({ facts: { form: 'absent' } });
  const lines = [];
  for await (const line of exportJournal(folder.dir)) lines.push(line);
  expect(lines.join('')).toContain("select * from users where ssn = '?'");
  expect(lines.join('')).toContain('not on a Friday');
  expect(await verifyJournal(folder.dir, journal.publicKeyPem)).toMatchObject({ verified: true, problems: [] });
});
