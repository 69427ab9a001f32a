/** How the gateway signs in at a service: AWS's published vectors (aws-sig-v4-test-suite), and what a lease may say. */
import { describe, expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import type { Lease, LeaseScheme } from '#client/credentials';
import { amzDate, signature, type SignedParts } from '#enforcers/common/service/sigv4';
import { credentialHeader, signIn } from '#enforcers/common/service/signing-in';
import { Tokens } from '#enforcers/common/service/tokens';
import { OK, startRecorder } from '#test/support/http-gateway';

const KEY = { accessKeyId: 'AKIDEXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY', region: 'us-east-1', service: 'service' };
const HEADERS = [
  ['host', 'example.amazonaws.com'],
  ['x-amz-date', '20150830T123600Z'],
] as const;
const NOTHING = new Uint8Array(0);

describe('AWS Signature Version 4', () => {
  test.each([
    ['get-vanilla', { method: 'GET', target: '/' }, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    [
      'get-vanilla-query-order-key-case',
      { method: 'GET', target: '/?Param2=value2&Param1=value1' },
      'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    ],
    ['post-vanilla', { method: 'POST', target: '/' }, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  ] as const)('%s', (_, asked, expected) => {
    const parts: SignedParts = { ...asked, headers: HEADERS, body: NOTHING };
    expect(signature(parts, KEY)).toBe(
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, Signature=${expected}`,
    );
  });
  test('what differs is signed differently: body, order of equal names, blanks in a value', () => {
    const sign = (more: Partial<SignedParts>): string => signature({ method: 'POST', target: '/', headers: HEADERS, body: NOTHING, ...more }, KEY);
    expect(sign({ body: Buffer.from('x') })).not.toBe(sign({}));
    expect(sign({ target: '/?a=1&a=2' })).toBe(sign({ target: '/?a=2&a=1' }));
    expect(sign({ headers: [...HEADERS, ['my-header', ' a   b ']] })).toBe(sign({ headers: [...HEADERS, ['my-header', 'a b']] }));
  });
  test('the date is of the clock', () => {
    expect(amzDate(Date.UTC(2015, 7, 30, 12, 36, 0, 123) * 1000)).toBe('20150830T123600Z');
  });
});

const request = { method: 'GET', target: '/a', authority: 'api.test', headers: [], body: NOTHING };
const lease = (scheme: LeaseScheme, password = 's3cret'): Lease => ({ id: 'lea_1', user: 'svc', password, scheme });
const tokens = (): Tokens => new Tokens({ target: 'billing', ca: undefined, nowMs: () => performance.now() });
const added = (scheme: LeaseScheme, password?: string): unknown => signIn(request, lease(scheme, password), tokens(), systemClock);

describe('I7: what a lease says', () => {
  test('becomes headers, and the client’s header of that name goes nowhere', () => {
    expect(added({ kind: 'none' })).toEqual([]);
    expect(added({ kind: 'bearer' })).toEqual([['authorization', 'Bearer s3cret']]);
    expect(added({ kind: 'basic' })).toEqual([['authorization', `Basic ${Buffer.from('svc:s3cret').toString('base64')}`]]);
    expect(added({ kind: 'header', name: 'X-Api-Key' })).toEqual([['x-api-key', 's3cret']]);
    expect(credentialHeader(lease({ kind: 'header', name: 'X-Api-Key' }))).toBe('x-api-key');
    expect(credentialHeader(lease({ kind: 'sigv4', region: 'eu-1', service: 's3' }))).toBe('authorization');
    expect(added({ kind: 'sigv4', region: 'eu-1', service: 's3' })).toMatchObject(
      [
        ['x-amz-date', /./],
        ['x-amz-content-sha256', /^e3b0c442/],
        ['authorization', /Signature=/],
      ].map(([name]) => [name, expect.any(String) as string]),
    );
  });
  test('a secret that would end a header is none', () => {
    expect(() => added({ kind: 'bearer' }, 'a\r\nX: y')).toThrow(/no header takes/);
    expect(() => added({ kind: 'env', name: 'X' })).toThrow(/for programs/);
  });
});

describe('OAuth client credentials', () => {
  const oauth = (port: number): Extract<LeaseScheme, { kind: 'oauth_client' }> => ({
    kind: 'oauth_client',
    tokenUrl: `http://127.0.0.1:${port}/token`,
    scope: 'a b',
  });
  const json = (body: string, status = '200 OK'): string =>
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;

  test('one token for requests that come together, kept while it is good, fetched again before it ends or when it is refused', async () => {
    let nowMs = 0;
    let count = 0;
    await using authority = await startRecorder((_, socket) => void socket.end(json(`{"access_token":"tok${++count}","expires_in":60}`)));
    const book = new Tokens({ target: 'billing', ca: undefined, nowMs: () => nowMs });
    const scheme = oauth(authority.port);
    const held = lease(scheme);
    expect(await Promise.all([book.token(held, scheme), book.token(held, scheme)])).toEqual(['tok1', 'tok1']);
    expect(authority.received).toContain(`authorization: Basic ${Buffer.from('svc:s3cret').toString('base64')}`);
    expect(authority.received).toContain('grant_type=client_credentials&scope=a+b');
    nowMs = 49_000;
    expect(book.token(held, scheme)).toBe('tok1');
    nowMs = 51_000;
    expect(await book.token(held, scheme)).toBe('tok2');
    book.refused(held, scheme, 'tok2');
    expect(await book.token(held, scheme)).toBe('tok3');
    book.refused(held, scheme, 'tok2'); // of a request that had left before
    expect(book.token(held, scheme)).toBe('tok3');
    expect(await book.token(lease(scheme, 'other'), scheme)).toBe('tok4');
  });

  test.each([
    ['an error', json('{"error":"invalid_client","hint":"s3cret"}', '401 Unauthorized')],
    ['no token', json('{}')],
    ['no JSON', json('<html>')],
    ['too much', json(`{"access_token":"${'x'.repeat(70_000)}"}`)],
    ['a token that would end a header', json('{"access_token":"a\\r\\nX: y"}')],
    ['another protocol', OK.replace('HTTP/1.1', 'ICY')],
  ])('%s is a credential that cannot be had, and repeats no secret', async (_, reply) => {
    await using authority = await startRecorder((__, socket) => void socket.end(reply));
    const scheme = oauth(authority.port);
    const error = await Promise.resolve(tokens().token(lease(scheme), scheme)).then(
      () => null,
      (thrown: Error & { code: string }) => thrown,
    );
    expect(error?.code).toBe('CREDENTIAL_UNAVAILABLE');
    expect(error?.message).not.toContain('s3cret');
  });
});
