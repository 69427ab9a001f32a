/** Masks in answers of APIs: streams, heads, and what cannot be masked (H6, H8). */
import { brotliCompressSync, constants, deflateSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { answering } from '#enforcers/http/response/answering';
import { CANARY, SSN, facts, obligations, mask, opened, answer, json, planned, run, sent, bytesOf } from '#test/support/http-answers';

describe('answers with masks: streams (H8)', () => {
  it('lines of JSON, by themselves or as elements of what is described as a list', () => {
    const head = answer(200, [['content-type', 'application/x-ndjson']]);
    const lines = `{"id":1}\n\n{"ssn":"${CANARY}"}\r\n{"ssn":"${CANARY}"}`;
    for (const size of [1, 4, 1 << 20]) expect(sent(mask(SSN), lines, size, head)).toBe('{"id":1}\n\n{"ssn":"***"}\r\n{"ssn":"***"}');
    expect(sent(mask({ '$[*].ssn': { using: 'null' } }), lines, 1 << 20, head)).not.toContain(CANARY);
    const two = run(mask(SSN), `{"id":1} {"ssn":"${CANARY}"}\n`, 1 << 20, head);
    expect(two.refused).not.toBeNull();
    const broken = run(mask(SSN), `{"id":1}\n{"ssn":"${CANARY}`, 9, head);
    expect(broken.text).not.toContain(CANARY);
    expect(broken.refused).not.toBeNull();
  });

  it('events: data is masked, what cannot be read is withheld, comments lose their words', () => {
    const head = answer(200, [['content-type', 'text/event-stream; charset=utf-8']]);
    const stream = [
      `: ssn ${CANARY}`,
      'event: change',
      'id: 7',
      `data: {"ssn":`,
      `data: "${CANARY}"}`,
      '',
      `data: ssn ${CANARY}`,
      '',
      `event: ssn ${CANARY}`,
      'data:{"id":2}',
      `unknown: ${CANARY}`,
      '',
      'data: [DONE]',
      '',
      `data: {"ssn":"${CANARY}"}`,
    ];
    for (const end of ['\n', '\r\n', '\r'])
      for (const size of [1, 3, 1 << 20]) {
        const out = sent(mask(SSN), `${stream.join(end)}${end}`, size, head);
        expect(out).toBe(':\nevent: change\nid: 7\ndata: {"ssn":\ndata: "***"}\n\ndata: {"id":2}\n\ndata: [DONE]\n\n');
      }
    expect(run(mask(SSN), `data: ${'x'.repeat(5_000_000)}`, 65_536, head).refused).not.toBeNull();
  });

  it('100 MB pass in constant memory', { timeout: 60_000 }, () => {
    const row = `{"id":1,"name":"${'n'.repeat(400)}","ssn":"${CANARY}"},`;
    const chunk = Buffer.from(row.repeat(140)); // about 64 kB
    const body = planned(mask(SSN), json()).body;
    body?.push(Buffer.from('['));
    let bytes = 0;
    const before = process.memoryUsage();
    let most = 0;
    for (let sentBytes = 0; sentBytes < 100_000_000; sentBytes += chunk.length) {
      for (const out of (body?.push(chunk) ?? []) as readonly Uint8Array[]) bytes += out.length;
      most = Math.max(most, process.memoryUsage().heapUsed - before.heapUsed);
    }
    expect(bytes).toBeGreaterThan(90_000_000);
    expect(most).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('answers with masks: head and kind (H6, H8)', () => {
  it.each([
    ['server', CANARY, null],
    ['server', 'nginx/1.27.3', 'nginx/1.27.3'],
    ['server-timing', `db;desc="${CANARY}"`, null],
    ['vary', `accept, ${CANARY}`, null],
    ['vary', 'Accept-Encoding, Origin', 'Accept-Encoding, Origin'],
    ['allow', 'GET, POST', 'GET, POST'],
    ['cache-control', `private="${CANARY}"`, null],
    ['cache-control', 'private, max-age=60, stale-while-revalidate=5', 'private, max-age=60, stale-while-revalidate=5'],
    ['retry-after', CANARY, null],
    ['retry-after', 'Wed, 21 Oct 2026 07:28:00 GMT', 'Wed, 21 Oct 2026 07:28:00 GMT'],
    ['www-authenticate', `Bearer error_description="${CANARY}"`, 'Bearer'],
    ['content-language', CANARY, null],
    ['access-control-allow-origin', 'https://app.example:8443', 'https://app.example:8443'],
    ['ratelimit-policy', '100;w=60', '100;w=60'],
    ['strict-transport-security', 'max-age=63072000; includeSubDomains', 'max-age=63072000; includeSubDomains'],
    ['content-type', `application/json; charset=utf-8; name="${CANARY}"`, 'application/json; charset=utf-8'],
    ['content-type', 'application/json; odata.metadata=minimal', 'application/json; odata.metadata=minimal'],
  ])('a header that passes says what everybody says in it: %s: %s (H8)', (name, value, passes) => {
    const type = name === 'content-type' ? [] : ([['content-type', 'application/json']] as const);
    const { headers } = planned(mask(SSN), answer(200, [[name, value], ...type])).head;
    expect(headers.find(([one]) => one === name)?.[1] ?? null).toBe(passes);
  });

  it.each([
    ['id: 123-45-6789', 'data: {}\n\n'],
    ['id: 1526919030474-55', 'id: 1526919030474-55\ndata: {}\n\n'],
    ['event: customer:123-45-6789', 'data: {}\n\n'],
    ['event: customer.changed', 'event: customer.changed\ndata: {}\n\n'],
  ])('type and id of an event have no room for a value: %s (H8)', (line, sentOn) => {
    expect(run(mask(SSN), `${line}\ndata: {}\n\n`, 1000, answer(200, [['content-type', 'text/event-stream']])).text).toBe(sentOn);
  });

  it('only headers that say nothing of the content pass', () => {
    const plan = planned(
      mask(SSN),
      answer(200, [
        ['content-type', 'application/json'],
        ['content-length', '21'],
        ['etag', '"of the unmasked"'],
        ['last-modified', 'Mon, 23 Nov 2026 13:00:00 GMT'],
        ['digest', 'sha-256=x'],
        ['repr-digest', 'sha-256=:x:'],
        ['content-digest', 'sha-256=:x:'],
        ['content-md5', 'x'],
        ['accept-ranges', 'bytes'],
        ['x-ssn', CANARY],
        ['set-cookie', `c=${CANARY}`],
        ['link', `</${CANARY}>`],
        ['trailer', 'x'],
        ['cache-control', 'no-store'],
      ]),
    );
    expect(plan.head.headers).toEqual([
      ['content-type', 'application/json'],
      ['cache-control', 'no-store'],
    ]);
  });

  it('asks for a whole and plain answer: no range, no condition of reading, no compression', () => {
    const open = opened(mask(SSN));
    for (const name of ['range', 'if-range', 'if-none-match', 'if-modified-since']) expect(open.withheld.has(name)).toBe(true);
    expect(open.set).toContainEqual(['accept-encoding', 'identity']);
    // a condition of a write is no condition of reading
    expect(opened(mask(SSN, {}, undefined, 'PUT')).withheld.has('if-match')).toBe(false);
  });

  it.each([
    ['text/plain', 200],
    ['text/csv', 200],
    ['application/xml', 200],
    ['multipart/mixed; boundary=b', 200],
    ['application/octet-stream', 200],
    ['application/json; charset=utf-16', 200],
    ['application/json, text/plain', 200],
    ['', 200],
    ['application/json', 206],
    ['application/json', 304],
    ['application/json', 302],
  ])('%s %i is refused', (type, status) => {
    const head = answer(status, type === '' ? [] : [['content-type', type]]);
    expect(opened(mask(SSN)).head(head)).toMatchObject({ refused: true, code: 'ANSWER_UNMASKABLE' });
  });

  it('two content types are refused', () => {
    const head = answer(200, [
      ['content-type', 'application/json'],
      ['content-type', 'text/plain'],
    ]);
    expect(opened(mask(SSN)).head(head)).toMatchObject({ refused: true });
  });

  it.each([
    [500, 'application/json'],
    [503, 'text/html'],
    [404, 'text/plain'],
  ])('what the target says with %i (%s) is replaced, its status stays', (status, type) => {
    const plan = planned(
      mask(SSN),
      answer(status, [
        ['content-type', type],
        ['x-debug', CANARY],
      ]),
    );
    expect(plan.head.status).toBe(status);
    const out = bytesOf(plan.body?.push(Buffer.from(`ssn ${CANARY}`))) + bytesOf(plan.body?.push(Buffer.from('more'))) + bytesOf(plan.body?.end());
    expect(JSON.parse(out)).toMatchObject({ status });
    expect(plan.head.headers).toContainEqual(['content-length', String(out.length)]);
    expect(out + JSON.stringify(plan.head.headers)).not.toContain(CANARY);
  });

  it('a 404 in JSON is masked as any answer', () => {
    expect(sent(mask(SSN), `{"ssn":"${CANARY}","detail":"no such"}`, 4, answer(404, [['content-type', 'application/problem+json']]))).toBe(
      '{"ssn":"***","detail":"no such"}',
    );
  });

  it('HEAD, 204 and an empty answer have nothing to mask', () => {
    expect(
      planned(mask(SSN), {
        ...answer(200, [
          ['content-type', 'text/csv'],
          ['content-length', '7'],
        ]),
        bodiless: true,
      }),
    ).toEqual({
      head: { status: 200, headers: [['content-type', 'text/csv']], bodiless: true },
      body: null,
    });
    expect(planned(mask(SSN), answer(200, [['content-length', '0']]))).toEqual({
      head: { status: 200, headers: [['content-length', '0']], bodiless: false },
      body: null,
    });
  });

  it.each([
    ['gzip', gzipSync],
    ['x-gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', (text: string) => brotliCompressSync(text, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } })],
  ] as const)('%s is decoded once', (encoding, encode) => {
    const head = answer(200, [
      ['content-type', 'application/json'],
      ['content-encoding', encoding],
    ]);
    expect(sent(mask(SSN), encode(`{"ssn":"${CANARY}"}`), 5, head)).toBe('{"ssn":"***"}');
    expect(planned(mask(SSN), head).head.headers).toEqual([['content-type', 'application/json']]);
    expect(run(mask(SSN), `{"ssn":"${CANARY}"}`, 5, head)).toMatchObject({ text: '', refused: { refused: true } });
    expect(run(mask(SSN), encode(`{"a":"${'0'.repeat(30_000_000)}"}`), 65_536, head)).toMatchObject({ text: '', refused: { refused: true } });
  });

  it.each(['gzip, gzip', 'zstd', 'compress'])('content-encoding %s is refused', (encoding) => {
    expect(
      opened(mask(SSN)).head(
        answer(200, [
          ['content-type', 'application/json'],
          ['content-encoding', encoding],
        ]),
      ),
    ).toMatchObject({ refused: true });
  });

  it('another protocol is refused, and an answer without masks is left alone', () => {
    expect(answering({ facts: { ...facts(), upgrade: 'websocket' }, obligations: obligations(SSN) })).toMatchObject({ code: 'UNSUPPORTED' });
    const head = answer(200, [
      ['content-type', 'text/csv'],
      ['etag', '"x"'],
      ['content-length', '3'],
    ]);
    expect(planned(answering({ facts: facts(), obligations: [] }), head)).toEqual({ head, body: null });
  });
});
