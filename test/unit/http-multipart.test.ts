/** H5: multipart bodies, read where every server reads them alike, and otherwise not at all. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeHttpMessage } from '#client/http-message';
import { readDescription } from '#engine/facts/http/description';
import { HTTP_FACTS_LIMITS } from '#engine/facts/http/limits';
import { readHttp } from '#engine/facts/http/reader';
import type { HttpFacts } from '#schemas/http-facts';

const catalog = readDescription({
  openapi: null,
  graphql: null,
  routes: { file: 'files.yaml', text: 'routes: [{ route: POST /files, id: upload, consumes: [multipart/form-data] }, { route: POST /json }]' },
});

function facts(body: string | Uint8Array, type = 'multipart/form-data; boundary=b', target = '/files'): HttpFacts {
  const message = { method: 'POST', target, headers: [['content-type', type]] as const, body: Buffer.from(body) };
  return readHttp(writeHttpMessage(message), { catalog, graphql: () => ({ graphql: null, effects: [], opaque: [] }) });
}

const FIELD = 'Content-Disposition: form-data; name="a"';
const FILE = `${FIELD}; filename="f.txt"`;
const one = (head: string, content = 'x'): string => `--b\r\n${head}\r\n\r\n${content}\r\n--b--\r\n`;

describe('what clients send', () => {
  test('fields, JSON and files, as Node, undici and browsers encode them', async () => {
    const form = new FormData();
    form.append('role', 'user');
    form.append('role', 'admin');
    form.append('meta', new Blob(['{"Owner":{"id":7}}'], { type: 'application/json' }), 'meta.json');
    form.append('photo', new File([Buffer.from([0, 1, 13, 10, 45, 45, 255])], 'Ünï.png', { type: 'image/png' }));
    form.append('note', 'one\r\ntwo');
    const response = new Response(form);
    const read = facts(new Uint8Array(await response.arrayBuffer()), response.headers.get('content-type') ?? '');
    expect(read).toMatchObject({ parsed: true, opaque: [], operation: { id: 'upload' } });
    expect(read.body).toMatchObject({
      kind: 'multipart',
      media: 'multipart/form-data',
      json: { role: ['user', 'admin'], note: ['one\r\ntwo'] },
      keys: ['id', 'meta', 'note', 'owner', 'photo', 'role'],
    });
    expect(read.body.parts).toEqual([
      { name: 'role', filename: null, kind: 'text', media: '', bytes: 4, sha256: digest('user'), text: 'user' },
      { name: 'role', filename: null, kind: 'text', media: '', bytes: 5, sha256: digest('admin'), text: 'admin' },
      {
        name: 'meta',
        filename: 'meta.json',
        kind: 'json',
        media: 'application/json',
        bytes: 18,
        sha256: digest('{"Owner":{"id":7}}'),
        json: { Owner: { id: 7 } },
      },
      {
        name: 'photo',
        filename: 'Ünï.png',
        kind: 'binary',
        media: 'image/png',
        bytes: 7,
        sha256: digest(Buffer.from([0, 1, 13, 10, 45, 45, 255])),
      },
      { name: 'note', filename: null, kind: 'text', media: '', bytes: 8, sha256: digest('one\r\ntwo'), text: 'one\r\ntwo' },
    ]);
  });

  test.each([
    ['a boundary in quotes', one(FIELD), 'multipart/form-data; boundary="b"'],
    ['a charset that UTF-8 is', one(FIELD), 'multipart/form-data; charset=utf-8; boundary=b'],
    ['no line break at the end', one(FIELD).slice(0, -2), undefined],
    ['the length and no encoding, as some write them', one(`Content-Length: 1\r\n${FIELD}\r\nContent-Transfer-Encoding: binary`), undefined],
    ['a field of text with its type', one(`${FIELD}\r\nContent-Type: text/plain; charset=utf-8`), undefined],
    ['names in lower case', one('content-disposition: form-data; name="a"'), undefined],
    ['no content', one(FIELD, ''), undefined],
    ['no part', '--b--\r\n', undefined],
    ['a file that nobody chose', one(`${FIELD}; filename=""\r\nContent-Type: application/octet-stream`, ''), undefined],
    ['a file below a folder', one(`${FIELD}; filename="photos/a.png"`), undefined],
    ['the boundary without its dashes', one(FIELD, 'b and -b'), undefined],
    ['JSON as a field', one(`${FIELD}\r\nContent-Type: application/json`, '[1]'), undefined],
  ])('%s', (_, body, type) => {
    expect(facts(body, type)).toMatchObject({ parsed: true, opaque: [], body: { kind: 'multipart' } });
  });
});

describe('what servers do not read alike is not understood', () => {
  test.each([
    ['no boundary', one(FIELD), 'multipart/form-data'],
    ['two boundaries', `${one(FIELD)}`, 'multipart/form-data; boundary=b; boundary=c'],
    ['two boundaries, one in capitals', one(FIELD), 'multipart/form-data; boundary=b; Boundary=c'],
    ['boundary*', one(FIELD), "multipart/form-data; boundary*=utf-8''c; boundary=b"],
    ['another parameter', one(FIELD), 'multipart/form-data; boundary=b; start=x'],
    ['a boundary with a blank', one(FIELD), 'multipart/form-data; boundary="b c"'],
    ['an empty boundary', one(FIELD), 'multipart/form-data; boundary=""'],
    ['a boundary too long', one(FIELD), `multipart/form-data; boundary=${'b'.repeat(71)}`],
    ['another charset', one(FIELD), 'multipart/form-data; boundary=b; charset=utf-7'],
    ['quotes that belong to the boundary for some', one(FIELD, '--"b"'), 'multipart/form-data; boundary="b"'],
    ['a preamble', `x\r\n${one(FIELD)}`],
    ['a line break in front', `\r\n${one(FIELD)}`],
    ['an epilogue', `${one(FIELD)}x`],
    ['a second body behind the first', `${one(FIELD)}${one(FIELD)}`],
    ['no last boundary', one(FIELD).replace('--b--', '')],
    ['a part that is cut', `--b\r\n${FIELD}\r\n\r\nx`],
    ['blanks behind a boundary', one(FIELD).replace('--b\r\n', '--b \r\n')],
    ['a longer boundary', one(FIELD, `x\r\n--bc\r\n${FIELD}\r\n\r\ny`)],
    ['a boundary behind a bare line feed', one(FIELD, `x\n--b\n${FIELD}\n\ny`)],
    ['a boundary within a line', one(FIELD, 'x--b')],
    ['line feeds alone', one(FIELD).replaceAll('\r\n', '\n')],
    ['a boundary in a head', one(`${FIELD}\r\n--b`)],
    ['no head', '--b\r\n\r\nx\r\n--b--\r\n'],
    ['no content-disposition', one('Content-Type: text/plain')],
    ['another disposition', one('Content-Disposition: attachment; name="a"')],
    ['a disposition in capitals', one('Content-Disposition: Form-Data; name="a"')],
    ['content-disposition twice', one(`${FIELD}\r\ncontent-disposition: form-data; name="c"`)],
    ['content-type twice', one(`${FILE}\r\nContent-Type: a/b\r\nContent-Type: a/c`)],
    ['a folded head', one('Content-Disposition: form-data;\r\n name="a"')],
    ['a blank in front of the colon', one('Content-Disposition : form-data; name="a"')],
    ['an unknown header', one(`${FIELD}\r\nX-Name: c`)],
    ['no name', one('Content-Disposition: form-data')],
    ['an empty name', one('Content-Disposition: form-data; name=""')],
    ['the name twice', one(`${FIELD}; name="c"`)],
    ['name*', one(`Content-Disposition: form-data; name*=utf-8''c; name="a"`)],
    ['a name without quotes', one('Content-Disposition: form-data; name=a')],
    ['single quotes', one("Content-Disposition: form-data; name='a'")],
    ['an escaped quote', one('Content-Disposition: form-data; name="a\\"; x=\\""')],
    ['a separator within a name', one('Content-Disposition: form-data; name="a; filename=c"')],
    ['an encoded quote', one('Content-Disposition: form-data; name="a%22; filename=%22c"')],
    ['an encoded line break', one('Content-Disposition: form-data; name="a%0D%0Ac"')],
    ['something behind the name', one(`${FIELD}; x="y"`)],
    ['a separator at the end', one(`${FIELD};`)],
    ['the filename first', one('Content-Disposition: form-data; filename="c"; name="a"')],
    ['filename*', one(`${FILE}; filename*=utf-8''g.php`)],
    ['filename* alone', one(`${FIELD}; filename*=utf-8''g.php`)],
    ['the filename twice', one(`${FILE}; filename="g.php"`)],
    ['FILENAME', one(`${FIELD}; FILENAME="g.php"`)],
    ['a filename with a backslash', one(`${FIELD}; filename="..\\g.php"`)],
    ['a filename that climbs', one(`${FIELD}; filename="../g.php"`)],
    ['a filename from the root', one(`${FIELD}; filename="/etc/cron.d/g"`)],
    ['NUL in a filename', one(`${FIELD}; filename="g.php\0.png"`)],
    ['a filename that turns around', one(`${FIELD}; filename="g\u202egnp.php"`)],
    ['content in a file without a name', one(`${FIELD}; filename=""`)],
    ['a field and a file of one name', `--b\r\n${FIELD}\r\n\r\nx\r\n--b\r\n${FILE}\r\n\r\ny\r\n--b--\r\n`],
    ['another method', one('Content-Disposition: form-data; name="_method"', 'DELETE')],
    ['a prototype', one('Content-Disposition: form-data; name="__proto__"')],
    ['another charset for all fields', one('Content-Disposition: form-data; name="_charset_"', 'utf-7')],
    ['another charset for one field', one(`${FIELD}\r\nContent-Type: text/plain; charset=utf-16`)],
    ['an encoded part', one(`${FIELD}\r\nContent-Transfer-Encoding: base64`, 'eA==')],
    ['quoted-printable', one(`${FIELD}\r\nContent-Transfer-Encoding: quoted-printable`)],
    ['a length that lies', one(`${FIELD}\r\nContent-Length: 0`)],
    ['multipart within', one(`${FILE}\r\nContent-Type: multipart/mixed; boundary=c`)],
    ['a member of JSON twice', one(`${FIELD}\r\nContent-Type: application/json`, '{"a":1,"a":2}')],
    ['JSON in UTF-16', one(`${FILE}\r\nContent-Type: application/json; charset=utf-16`, '{}')],
    ['a byte order mark', one(FIELD, '\ufeffx')],
    ['text that is not UTF-8', Buffer.from(one(FIELD, '\xff'), 'latin1')],
    ['a head too long', one(`${FIELD}; filename="${'x'.repeat(3000)}"`)],
    ['a filename too long', one(`${FIELD}; filename="${'x'.repeat(256)}"`)],
    ['too many parts', `${`--b\r\n${FIELD}\r\n\r\nx\r\n`.repeat(HTTP_FACTS_LIMITS.parts + 1)}--b--\r\n`],
  ])('%s', (_, body, type?: string) => {
    const read = facts(body, type);
    expect(read.parsed).toBe(false);
    expect(read.opaque).toHaveLength(1);
  });
});

test('as many parts as there may be are read, one more is over the budget', () => {
  const parts = (count: number): string => `${`--b\r\n${FIELD}\r\n\r\nx\r\n`.repeat(count)}--b--\r\n`;
  expect(facts(parts(HTTP_FACTS_LIMITS.parts)).body.parts).toHaveLength(HTTP_FACTS_LIMITS.parts);
  expect(facts(parts(HTTP_FACTS_LIMITS.parts + 1)).opaque).toMatchObject([{ code: 'budget' }]);
});

test('a field of a type that is not read is opaque; a file is what it says it is, by size and digest', () => {
  expect(facts(one(`${FIELD}\r\nContent-Type: application/xml`, '<x/>'))).toMatchObject({
    parsed: true,
    opaque: [{ code: 'unsupported', detail: 'the field "a" of application/xml is not read' }],
  });
  expect(facts(one(`${FILE}\r\nContent-Type: text/csv; charset=windows-1252`, 'a,b')).body.parts).toMatchObject([
    { filename: 'f.txt', kind: 'text', media: 'text/csv', bytes: 3, sha256: digest('a,b') },
  ]);
});

test('where the operation takes none, or none is described, files are opaque', () => {
  expect(facts(one(FIELD), undefined, '/json').opaque).toEqual([]);
  expect(facts(one(FILE), undefined, '/json').opaque).toMatchObject([{ code: 'unsupported' }]);
});

test('H5: whatever the bytes are, facts come back; read is only what is written again to the same bytes', () => {
  const piece = fc.oneof(
    fc.constantFrom('--b', '--b--', '\r\n', '\r\n\r\n', '\n', FIELD, FILE, 'Content-Type: application/json', '"', ';', '{}', 'name="c"'),
    fc.string({ maxLength: 5 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 25 }), fc.boolean(), (pieces, framed) => {
      const body = framed ? `--b\r\n${FIELD}\r\n\r\n${pieces.join('')}\r\n--b--` : pieces.join('');
      const { parsed, body: read } = facts(body);
      if (!parsed || read.kind !== 'multipart') return;
      const bytes = (read.parts ?? []).reduce((sum, part) => sum + part.bytes, 0);
      expect(bytes).toBeLessThanOrEqual(Buffer.byteLength(body));
      expect(body.split('--b')).toHaveLength((read.parts ?? []).length + 2);
    }),
    { numRuns: 2000 },
  );
});

function digest(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}
