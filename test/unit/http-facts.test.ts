import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { writeHttpMessage } from '#client/http-message';
import { readDescription } from '#engine/facts/http/description';
import { readHttp } from '#engine/facts/http/reader';
import type { HttpFacts } from '#schemas/http-facts';
import type { HttpCatalog } from '#schemas/knowledge';

const SHOP: HttpCatalog = readDescription({
  openapi: null,
  graphql: null,
  routes: {
    file: 'shop.yaml',
    text: `
base: /api
routes:
  - { route: "GET /orders", id: listOrders }
  - { route: "GET /orders/{id}", id: getOrder, tags: [orders] }
  - { route: "GET /orders/special", id: special }
  - { route: "POST /orders", id: createOrder, consumes: [application/json] }
  - { route: "PATCH /users/{id}", id: patchUser, consumes: [application/json, application/x-www-form-urlencoded] }
  - { route: "DELETE /orders/{id}", id: deleteOrder }
  - { route: "POST /search", id: search, class: read }
  - { route: "PUT /files/{name}.json", id: putFile }
  - { route: "GET /compare/{from}...{to}", id: compare }
  - { route: "GET /raw/{rest+}", id: raw }
`,
  },
});

interface Given {
  readonly method?: string;
  readonly target?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: string | Uint8Array;
}

function facts({ method = 'GET', target = '/api/orders', headers = [], body = '' }: Given, catalog: HttpCatalog | null = SHOP): HttpFacts {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const typed =
    bytes.length > 0 && !headers.some(([name]) => name === 'content-type') ? [...headers, ['content-type', 'application/json'] as const] : headers;
  return readHttp(writeHttpMessage({ method, target, headers: typed, body: bytes }), {
    catalog,
    graphql: () => ({ graphql: null, effects: [], opaque: [{ code: 'unsupported', detail: 'none here' }] }),
  });
}

const patch = (body: string | Uint8Array, type = 'application/json'): HttpFacts =>
  facts({ method: 'PATCH', target: '/api/users/1', headers: [['content-type', type]], body });

describe('H2: only canonical paths', () => {
  test.each([
    '/./admin/users',
    '/api/../admin/users',
    '/api/%2e%2e%2fadmin/users',
    '/api/..%5cadmin/users',
    '/api\\..\\admin\\users',
    '/%61dmin/users',
    '/%2561dmin/users',
    '/admin;x=1/users',
    '/admin%3bx=1/users',
    '/admin%00/users',
    '/admin#frag',
    '/%u0061dmin',
    '/.//admin',
    '//admin',
    '/api//orders',
    '/api/orders/../../admin',
    '/%c0%ae%c0%ae/admin',
    '/%ef%bc%8e%ef%bc%8e/admin',
    '/%ef%bd%81dmin',
    '/adm%0ain',
    '/a%',
    '/a%2',
    'admin/users',
    'http://api.internal/admin',
    '',
    '/api/orders?x=%zz',
    '/api/orders?x=%00',
    '/api/orders?x=%c0%ae',
    '/api/orders?a=1;b=2',
    '/api/orders?_method=DELETE',
    '/api/orders?x-http-method-override=DELETE',
    '/api/orders?_method[]=DELETE',
    '/api/orders?_METHOD.x=DELETE',
    '/api/orders?.method=DELETE',
    '/api/orders?[method=DELETE',
    '/api/orders?+_method=DELETE',
    '/api/orders?__proto__[role]=admin',
    '/api/orders?user[__proto__][role]=admin',
    '/api/orders?%09role=admin',
    '/api/orders?ro%0dle=admin',
    '/api/orders/%20admin',
    '/api/orders/admin%20',
    '/api/orders/%E2%88%95admin',
    '/api/orders/%E2%81%84admin',
    '/api/orders/%E2%88%96admin',
    '/api/orders?a="b"',
    '*',
  ])('%s is not understood', (target) => {
    const read = facts({ target });
    expect(read.parsed).toBe(false);
    expect(read.opaque).toHaveLength(1);
    expect(read.effects).toEqual([]);
  });

  test.each([
    ['/api/orders?next=/admin', ['api', 'orders']],
    ['/api/orders/admin-guide', ['api', 'orders', 'admin-guide']],
    ['/api/orders/caf%C3%A9%20noir', ['api', 'orders', 'café noir']],
    ['/api/orders/a%40b.example', ['api', 'orders', 'a@b.example']],
    ["/api/Orders('7')", ['api', "Orders('7')"]],
    ['/api/v1/things:undelete', ['api', 'v1', 'things:undelete']],
    ['/api/orders/', ['api', 'orders', '']],
    ['/', []],
  ])('%s is', (target, segments) => {
    expect(facts({ target })).toMatchObject({ parsed: true, segments });
  });

  test('what is decoded is what policies match, and the path stays as it was sent', () => {
    expect(facts({ target: '/api/orders/a%20b?q=a+b&q=%26&filter[name]=x&flag' })).toMatchObject({
      path: '/api/orders/a%20b',
      params: { id: 'a b' },
      query: { q: ['a b', '&'], 'filter[name]': ['x'], flag: [''] },
    });
  });

  test('paths with one segment changed never match two routes, and never throw', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', maxLength: 60 }), (text) => {
        const read = facts({ target: `/${text}` });
        if (read.parsed) expect(read.segments.every((segment) => segment !== '..' && !segment.includes('/') && !segment.includes('\\'))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('operations', () => {
  test.each([
    ['GET', '/api/orders', 'listOrders', 'read', 'read'],
    ['GET', '/api/orders/7', 'getOrder', 'read', 'read'],
    ['HEAD', '/api/orders/7', 'getOrder', 'read', 'read'],
    ['GET', '/api/orders/special', 'special', 'read', 'read'],
    ['POST', '/api/orders', 'createOrder', 'write', 'insert'],
    ['PATCH', '/api/users/1', 'patchUser', 'write', 'update'],
    ['DELETE', '/api/orders/7', 'deleteOrder', 'delete', 'delete'],
    ['POST', '/api/search', 'search', 'read', 'read'],
    ['PUT', '/api/files/a.b.json', 'putFile', 'write', 'update'],
    ['GET', '/api/compare/v1...v2', 'compare', 'read', 'read'],
    ['GET', '/api/raw/a/b/c', 'raw', 'read', 'read'],
  ])('%s %s is %s', (method, target, id, kind, verb) => {
    const read = facts({ method, target });
    expect(read).toMatchObject({ parsed: true, operation: { id, class: kind }, opaque: [] });
    expect(read.effects).toMatchObject([{ verb, object: { kind: 'operation', name: id }, confidence: 'resolved' }]);
  });

  test.each([
    ['GET', '/orders'],
    ['GET', '/api/orders/'],
    ['GET', '/api/ORDERS'],
    ['PUT', '/api/orders/7'],
    ['PUT', '/api/files/.json'],
    ['GET', '/api/raw'],
  ])('%s %s is none that is known', (method, target) => {
    expect(facts({ method, target })).toMatchObject({ operation: null, effects: [{ confidence: 'unknown' }] });
  });

  test('without a description nothing is known of operations, and the effect is named', () => {
    expect(facts({ method: 'DELETE' }, null)).toMatchObject({
      operation: null,
      effects: [{ verb: 'delete', object: { qualified: 'DELETE /api/orders' }, confidence: 'named' }],
    });
  });

  test('parameters between literals, the rest of a path', () => {
    expect(facts({ target: '/api/compare/v1...v2' }).params).toEqual({ from: 'v1', to: 'v2' });
    expect(facts({ target: '/api/raw/a/b%20c' }).params).toEqual({ rest: 'a/b c' });
  });
});

describe('H3: no method but the one that stands there', () => {
  test.each(['x-http-method-override', 'x-http-method', 'x-method-override'])('%s', (name) => {
    expect(facts({ method: 'POST', headers: [[name, 'DELETE']] }).parsed).toBe(false);
  });
  test('in a form', () => {
    expect(patch('_method=DELETE', 'application/x-www-form-urlencoded').parsed).toBe(false);
  });
});

describe('H5: bodies that all servers read alike', () => {
  test.each([
    ['a member twice', '{"role":"user","role":"admin"}'],
    ['a member twice, one of them escaped', '{"role":"user","r\\u006fle":"admin"}'],
    ['a member twice, deep', '{"a":[{"b":1,"b":2}]}'],
    ['a comment', '{/**/"role":"admin"}'],
    ['a second document', '{"a":1}{"role":"admin"}'],
    ['a trailing comma', '{"a":1,}'],
    ['single quotes', "{'a':1}"],
    ['NaN', '{"a":NaN}'],
    ['a leading zero', '{"a":01}'],
    ['a control character in a string', '{"a":"\n"}'],
    ['NUL at the end of a member’s name', '{"role\\u0000":"admin"}'],
    ['NUL in a text', '{"role":"admin\\u0000"}'],
    ['half a surrogate pair', '{"a":"\\ud800"}'],
    ['a prototype', '{"__proto__":{"role":"admin"}}'],
    ['a byte order mark', '\ufeff{"a":1}'],
    ['nothing but blanks', '  '],
    ['too deep', '['.repeat(200) + ']'.repeat(200)],
    ['too many values', `[${'0,'.repeat(60_000)}0]`],
  ])('%s is not understood', (_, body) => {
    expect(patch(body)).toMatchObject({ parsed: false, body: { kind: 'none' } });
  });

  test('invalid UTF-8, UTF-16, a charset that lies, an encoding', () => {
    expect(patch(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])).parsed).toBe(false);
    expect(patch(Buffer.from('{"role":"admin"}', 'utf16le')).parsed).toBe(false);
    expect(patch('{"a":1}', 'application/json; charset=utf-16').parsed).toBe(false);
    expect(patch('{"a":1}', 'application/json; charset="utf-7"').parsed).toBe(false);
    expect(patch('{"a":1}', "application/json; charset*=us-ascii''utf-16").parsed).toBe(false);
    expect(facts({ method: 'PATCH', target: '/api/users/1', headers: [['content-encoding', 'gzip']], body: '{}' }).parsed).toBe(false);
    expect(
      facts({
        method: 'PATCH',
        target: '/api/users/1',
        headers: [
          ['content-type', 'application/json'],
          ['content-type', 'text/plain'],
        ],
        body: '{}',
      }).parsed,
    ).toBe(false);
  });

  test('a JSON Patch names what it writes in its pointers (RFC 6902): they are keys like others', () => {
    expect(patch('[{"op":"replace","path":"/user/Role","value":{"x":1}},{"op":"move","from":"/a~1b","path":"/c"}]').body.keys).toEqual([
      'a/b',
      'c',
      'from',
      'op',
      'path',
      'role',
      'user',
      'value',
      'x',
    ]);
    expect(patch('[{"path":"/role"}]').body.keys).toEqual(['path']);
    expect(patch('{"op":"add","path":"/role"}').body.keys).toEqual(['op', 'path']);
    expect(patch('[{"op":"add","path":7},null,"op"]').body.keys).toEqual(['op', 'path']);
  });

  test('keys at every depth, without regard to case, as servers that do not regard it fold them', () => {
    expect(patch('{"Role":1,"a":[{"ROLE":2,"\\u212Aey":{"pa\\u017fs":1}}]}').body.keys).toEqual(['a', 'key', 'pass', 'role']);
  });

  test('numbers that a decoder rounds stand as their text', () => {
    const n = '{"a":9007199254740993,"b":9007199254740992,"c":0.1,"d":1e400,"e":12.50,"f":0.12345678901234567890,"g":1e3,"h":-0}';
    expect(patch(n).body.json).toEqual({
      a: '9007199254740993',
      b: '9007199254740992',
      c: 0.1,
      d: '1e400',
      e: 12.5,
      f: '0.12345678901234567890',
      g: 1000,
      h: -0,
    });
  });

  test('whatever JSON.parse writes is read as JSON.parse reads it', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        const text = JSON.stringify(value);
        const read = patch(text);
        if (!read.parsed) return;
        expect(JSON.stringify(read.body.json)).toBe(JSON.stringify(JSON.parse(text), whole));
      }),
      { numRuns: 200, examples: [[{ a: ['x\n"\\', 1, null, true] }]] },
    );
  });

  test('forms: every value of a name, and no separator that only some servers know', () => {
    const type = 'application/x-www-form-urlencoded';
    expect(patch('role=user&r%6fle=admin', type).body).toMatchObject({ kind: 'form', json: { role: ['user', 'admin'] }, keys: ['role'] });
    expect(patch('role=user;role=admin', type).parsed).toBe(false);
    expect(patch('a=%ff', type).parsed).toBe(false);
    expect(patch('user[role]=a&filter.x=b&a%20b=c', type).body.keys).toEqual(['a b', 'filter.x', 'user[role]']);
    for (const body of ['%20role=admin', '+_method=DELETE', '_method[]=DELETE', '.method=DELETE', '__proto__[role]=admin'])
      expect(patch(body, type).parsed, body).toBe(false);
  });

  test('what is not read is opaque: no type, other multipart, YAML, XML; with a document type it is not understood', () => {
    expect(facts({ method: 'POST', headers: [['content-type', '']], body: 'x' }).opaque).toMatchObject([{ code: 'unsupported' }]);
    expect(patch('--b\r\n', 'multipart/mixed; boundary=b').opaque).toMatchObject([{ code: 'unsupported' }]);
    expect(patch('a: 1', 'application/yaml').opaque).toMatchObject([{ code: 'unsupported' }]);
    expect(patch('<u/>', 'application/xml')).toMatchObject({ parsed: true, opaque: [{ code: 'unsupported' }] });
    expect(patch('<!DOCTYPE u [<!ENTITY x SYSTEM "file:///etc/passwd">]><u>&x;</u>', 'text/xml').parsed).toBe(false);
  });

  test('a type that the operation does not take is opaque', () => {
    expect(facts({ method: 'POST', headers: [['content-type', 'application/x-www-form-urlencoded']], body: 'role=admin' }).opaque).toMatchObject([
      { code: 'unsupported', detail: expect.stringContaining('takes no application/x-www-form-urlencoded') as string },
    ]);
  });

  test('GET and DELETE have no body', () => {
    expect(facts({ body: '{}' }).parsed).toBe(false);
    expect(facts({ method: 'DELETE', target: '/api/orders/1', body: '{}' }).parsed).toBe(false);
  });
});

/** As numbers that are not safe stand in facts. */
function whole(_: string, one: unknown): unknown {
  return typeof one === 'number' && Number.isInteger(one) && !Number.isSafeInteger(one) ? String(one) : one;
}

test('H5: readers of facts never throw, whatever the bytes are', () => {
  const reading = { catalog: SHOP, graphql: () => ({ graphql: null, effects: [], opaque: [] }) };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, framed) => {
      const text = framed ? Buffer.concat([Buffer.from('PATCH /api/users/1 HTTP/1.1\r\ncontent-type: application/json\r\n\r\n'), bytes]) : bytes;
      expect(typeof readHttp(text, reading).parsed).toBe('boolean');
    }),
    { numRuns: 2000 },
  );
});
