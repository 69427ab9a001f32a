/** What each channel makes of a message, held against the vendors' own types and schemas, and against words that try to be more than words (A7, A9, M8). */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { KnownBlock } from '@slack/types';
import { AdaptiveCard, SerializationContext, Versions } from 'adaptivecards';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { backoffMs, retryAfterMs } from '#engine/approvals/notify/backoff';
import { addresses, mailChannel, type MailOptions } from '#engine/approvals/notify/mail';
import { messageOf } from '#engine/approvals/notify/message';
import type { Letter, Named } from '#engine/approvals/notify/parts';
import { slackChannel, type SlackMessage, slackMessage } from '#engine/approvals/notify/slack';
import { type AdaptiveCard as Card, cardOf, teamsChannel } from '#engine/approvals/notify/teams';
import { filled, TEMPLATES } from '#engine/approvals/notify/template';
import { plain } from '#engine/approvals/notify/text';
import { webhookBody } from '#engine/approvals/notify/webhook';
import type { ApprovalView } from '#schemas/approval';
import { requirement, subject } from '#test/support/approvals';
import { type Certificate, makeAuthority } from '#test/support/certificates';
import { approvalView, channel, openBench, openMailServer, openReceiver, PUBLIC_URL, SECRET } from '#test/support/notify';
import { Webhook } from 'standardwebhooks';

const open: (() => void | PromiseLike<void>)[] = [];
afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close();
});

function letterOf(more: Partial<ApprovalView> = {}, about: 'requested' | 'settled' = 'requested'): Letter {
  const view = approvalView(more);
  const stage = view.requirement.stages[0]?.id ?? '';
  const message = messageOf(about === 'requested' ? { about, view, stage } : { about, view, outcome: view.state }, PUBLIC_URL);
  return { id: 'ntf_01', message, headline: filled(TEMPLATES[about], message.fields), at: new Date('2026-11-23T10:00:00Z') };
}

/** What somebody may have put into a login, the name of a target or of a table. */
const ATTACKS: readonly string[] = [
  '<!channel> <@U024BE7LH> <https://evil.example|Open in Interlock>',
  '@here @channel @everyone',
  '[Open in Interlock](https://evil.example) **approved** # done',
  '<script>alert(1)</script><img src=x onerror=alert(1)>',
  'alice\r\nBcc: victim@example.com\r\n\r\n<b>approved</b>',
  'abc\u202Edeppilf\u202C \u200B\u2066x',
  '{{DATE(2026-11-23T10:00:00Z,SHORT)}} {{summary}} ${data}',
  '&lt;!channel&gt; &amp;',
  '"; DROP TABLE payments; --\u0000\u001b[31m',
  'x'.repeat(20_000),
  'www.evil.example/approvals http://evil.example ftp://evil.example mailto:a@evil.example',
];
const attacked = (text: string): Letter =>
  letterOf({
    summary: text,
    target: text,
    subject: subject(text, [], { owner: text }),
    requirement: requirement({ stages: [{ id: text, order: 0, any_of: [{ group: text }], quorum: 1 }] }),
  });
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;
const own = `${PUBLIC_URL}/approvals/`;

describe('Slack', () => {
  type Mutable<T> = { -readonly [K in keyof T]: Mutable<T[K]> };
  test('the blocks are the vendor’s own types', () => {
    const blocks: KnownBlock[] = slackMessage(letterOf()).blocks as Mutable<SlackMessage['blocks']>;
    const fits: Mutable<SlackMessage['blocks']> extends KnownBlock[] ? true : false = true;
    expect(fits).toBe(true);
    expect(blocks.map(({ type }) => type)).toEqual(['section', 'section', 'actions']);
  });

  test.each(ATTACKS)('A7: no mention, link or command comes out of %j', (text) => {
    const message = slackMessage(attacked(text));
    const words = JSON.stringify({ text: message.text, blocks: message.blocks });
    expect(words).not.toMatch(/[<>]/);
    expect(words.replaceAll(own, '')).not.toMatch(/:\/\/|www\./);
    expect(message.text).not.toMatch(HIDDEN);
    expect(message).toMatchObject({ mrkdwn: false, parse: 'none', link_names: false, unfurl_links: false });
    const texts = message.blocks.flatMap((block) =>
      'text' in block ? [block.text] : 'fields' in block ? block.fields : block.elements.map((one) => one.text),
    );
    expect(texts.map((one) => one.text).join('')).not.toMatch(HIDDEN);
    expect(texts.every(({ type, emoji }) => type === 'plain_text' && !emoji)).toBe(true);
    // what Slack takes: 3,000 of a section's text, 2,000 of a field, 10 fields
    expect(Math.max(...texts.map((one) => one.text.length))).toBeLessThan(3_000);
  });

  test('A9: the one button opens the page; nothing in the message decides', () => {
    const [, , actions] = slackMessage(letterOf()).blocks;
    expect(actions).toMatchObject({ type: 'actions', elements: [{ type: 'button', url: expect.stringContaining(own) as string }] });
    expect(JSON.stringify(actions)).not.toMatch(/action_id|value/);
  });

  test('arrives at an incoming webhook whose address is a secret', async () => {
    const to = await openReceiver();
    open.push(() => to[Symbol.asyncDispose]());
    const { requests, notifier } = await openBench([channel('chat', slackChannel({ url: () => Promise.resolve(`${to.url}/T0/B0/hunter2`) }))]);
    open.push(() => notifier.close());
    to.answer = (at) => ({ status: at === 0 ? 503 : 404 });
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(notifier.list({ state: 'dead' })).toHaveLength(1));
    expect(to.received[0]?.path).toBe('/hook/T0/B0/hunter2');
    expect(JSON.parse(to.received[0]?.body ?? '')).toMatchObject({ blocks: [{ type: 'section' }, { type: 'section' }, { type: 'actions' }] });
    // I7
    expect(JSON.stringify(notifier.list())).not.toContain('hunter2');
  });
});

describe('Microsoft Teams', () => {
  /** By the vendor's library: what its schema of this version does not have is not written back. */
  function roundTrip(card: object): { readonly events: readonly string[]; readonly back: unknown } {
    const context = new SerializationContext(Versions.v1_4);
    const parsed = new AdaptiveCard();
    parsed.parse(structuredClone(card), context);
    const events = Array.from({ length: context.eventCount }, (_, at) => context.getEventAt(at).message);
    return { events, back: parsed.toJSON(new SerializationContext(Versions.v1_4)) };
  }

  test.each(['usual', ...ATTACKS])('the card is of the version that it names: %j', (text) => {
    const card = cardOf(text === 'usual' ? letterOf() : attacked(text));
    expect(card.version).toBe('1.4');
    expect(roundTrip(card)).toEqual({ events: [], back: card });
  });

  test.each<[string, (card: Card) => object]>([
    ['a property of no version', (card) => ({ ...card, body: [{ ...card.body[0], colour: 'red' }] })],
    ['a property of a later version', (card) => ({ ...card, body: [{ type: 'TextBlock', text: 'x', style: 'heading' }] })],
    ['an element that there is not', (card) => ({ ...card, body: [{ type: 'Html', html: '<b>' }] })],
    [
      'a value that there is not',
      (card) => ({ ...card, body: [{ type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: 'x', weight: 'Heavy' }] }] }),
    ],
  ])('the schema refuses %s', (_what, change) => {
    const card = change(cardOf(letterOf()));
    expect(roundTrip(card)).not.toEqual({ events: [], back: card });
  });

  test.each(ATTACKS)('A7: words of others have no markup, whatever they are: %j', (text) => {
    const card = cardOf(attacked(text));
    expect(card.body.every(({ type, inlines }) => type === 'RichTextBlock' && inlines.every((one) => one.type === 'TextRun'))).toBe(true);
    const words = JSON.stringify(card.body);
    expect(words).not.toMatch(/\{\{|:\/\/|www\./);
    expect(card.body.flatMap(({ inlines }) => inlines.map((one) => one.text)).join('')).not.toMatch(HIDDEN);
    expect(card.actions).toEqual([{ type: 'Action.OpenUrl', title: 'Open in Interlock', url: expect.stringContaining(own) as string }]);
  });

  test('arrives as the message that a workflow posts', async () => {
    const to = await openReceiver();
    open.push(() => to[Symbol.asyncDispose]());
    const { requests, notifier } = await openBench([channel('teams', teamsChannel({ url: () => Promise.resolve(to.url) }))]);
    open.push(() => notifier.close());
    to.answer = () => ({ status: 202 });
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(notifier.list({ state: 'delivered' })).toHaveLength(1));
    expect(JSON.parse(to.received[0]?.body ?? '')).toMatchObject({
      type: 'message',
      attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive' }],
    });
  });
});

describe('e-mail', () => {
  let dir = '';
  let certificate: Certificate;
  let ca = '';
  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'interlock-mail-'));
    const authority = await makeAuthority(dir);
    certificate = await authority.issue('mail');
    ca = readFileSync(authority.caFile, 'utf8');
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const options = (port: number, more: Partial<MailOptions> = {}): MailOptions => ({
    host: '127.0.0.1',
    port,
    tls: 'starttls',
    ca,
    login: null,
    from: 'interlock@example.com',
    to: [],
    people: { domain: 'example.com', users: { alice: 'alice.a@corp.example.com' }, groups: { owners: 'owners@lists.example.com' } },
    timeoutMs: 2_000,
    addressesMax: 50,
    ...more,
  });
  const secure = (): { key: Buffer; cert: Buffer } => ({ key: readFileSync(certificate.keyFile), cert: readFileSync(certificate.certFile) });

  async function mailed(
    more: Partial<MailOptions>,
    server: Parameters<typeof openMailServer>[0] = {},
  ): Promise<Awaited<ReturnType<typeof openBench>> & { mail: Awaited<ReturnType<typeof openMailServer>> }> {
    const mail = await openMailServer({ ...secure(), ...server });
    open.push(() => mail[Symbol.asyncDispose]());
    const bench = await openBench([channel('mail', mailChannel(options(mail.port, more)))]);
    open.push(() => bench.notifier.close());
    return { ...bench, mail };
  }

  test('goes to those who are asked over STARTTLS with a login, and the outcome to the requester', async () => {
    const login = { user: 'interlock', password: () => Promise.resolve('hunter2') };
    const { requests, mail } = await mailed(
      { login },
      {
        authOptional: false,
        onAuth: ({ username, password }, _session, done) =>
          username === 'interlock' && password === 'hunter2' ? done(null, { user: username }) : done(new Error('no')),
      },
    );
    const view = approvalView();
    requests.happen('requested', view);
    await vi.waitFor(() => expect(mail.received).toHaveLength(1));
    expect(mail.received[0]).toMatchObject({ from: 'interlock@example.com', to: ['owners@lists.example.com'], secure: true, user: 'interlock' });
    requests.happen('settled', { ...view, state: 'approved' });
    await vi.waitFor(() => expect(mail.received).toHaveLength(2));
    expect(mail.received[1]?.to).toEqual(['alice.a@corp.example.com']);
    const [asked, told] = mail.received.map(({ headers }) => headers.get('references')?.[0]);
    expect(asked).toBe(told);
    expect(mail.received[0]?.headers.get('auto-submitted')).toEqual(['auto-generated']);
  });

  test('implicit TLS works as well; without TLS nothing leaves where it is required', async () => {
    const implicit = await mailed({ tls: 'implicit' }, { secure: true });
    implicit.requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(implicit.mail.received).toHaveLength(1));
    const stripped = await mailed({}, { disabledCommands: ['STARTTLS', 'AUTH'] });
    stripped.requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(stripped.notifier.list()[0]?.detail ?? '').toMatch(/SMTP status 5|cannot be sent/));
    expect(stripped.mail.received).toHaveLength(0);
    expect(() => mailChannel(options(25, { tls: 'off', host: 'mail.example.com' }))).toThrow('without TLS');
  });

  test('a certificate of somebody else is not spoken to', async () => {
    const { requests, mail, notifier } = await mailed({ tls: 'implicit', ca: '' }, { secure: true });
    requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(notifier.list()[0]?.detail ?? '').toContain('cannot be sent'));
    expect(mail.received).toHaveLength(0);
  });

  test('a refusal for good ends after few tries, one for now does not', async () => {
    const refused = await mailed({ tls: 'off' }, { disabledCommands: ['STARTTLS', 'AUTH'] });
    refused.mail.refuse = 550;
    refused.requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(refused.notifier.list({ state: 'dead' })).toMatchObject([{ tries: 3, detail: 'SMTP status 550' }]));
    const busy = await mailed({ tls: 'off' }, { disabledCommands: ['STARTTLS', 'AUTH'] });
    busy.mail.refuse = 451;
    busy.requests.happen('requested', approvalView());
    await vi.waitFor(() => expect(busy.notifier.list()[0]?.tries ?? 0).toBeGreaterThan(1));
    busy.mail.refuse = null;
    await vi.waitFor(() => expect(busy.mail.received).toHaveLength(1));
  });

  test.each(ATTACKS)('A7: no header, recipient or markup comes out of %j', async (text) => {
    const { requests, mail } = await mailed({ tls: 'off', to: ['dba@example.com'] }, { disabledCommands: ['STARTTLS', 'AUTH'] });
    const { view } = { view: approvalView({ summary: text, target: text, subject: subject(text) }) };
    requests.happen('requested', view);
    await vi.waitFor(() => expect(mail.received).toHaveLength(1));
    const [one] = mail.received;
    expect(one?.to).toEqual(['dba@example.com', 'owners@lists.example.com']);
    expect([...(one?.headers.keys() ?? [])].toSorted()).toEqual(
      [
        'auto-submitted',
        'content-type',
        'date',
        'from',
        'message-id',
        'mime-version',
        'references',
        'subject',
        'to',
        'x-auto-response-suppress',
      ].toSorted(),
    );
    const html = decoded(one?.raw ?? '', 'text/html');
    expect(html.replace(/^.*<body/s, '<body')).not.toMatch(/<(script|img)/i);
    expect([...html.matchAll(/href="([^"]*)"/g)].map(([, href]) => href)).toEqual([`${own}${view.approval_id}`]);
    expect(decoded(one?.raw ?? '', 'text/plain').replaceAll(/\r?\n/g, '')).not.toMatch(HIDDEN);
  });

  test('addresses come from the map, from a login that is one, or from a plain login and the domain; nothing else is one', () => {
    const to = (login: string): readonly string[] =>
      addresses(
        messageOf({ about: 'settled', view: approvalView({ state: 'denied', subject: subject(login) }), outcome: 'denied' }, PUBLIC_URL),
        options(25),
      );
    expect(to('alice')).toEqual(['alice.a@corp.example.com']);
    expect(to('bob')).toEqual(['bob@example.com']);
    expect(to('eve@other.example')).toEqual(['eve@other.example']);
    for (const login of ['a b', 'bob,victim', 'x@y@z', '<bob>', 'bob\r\nRCPT TO:<v@example.com>', '__proto__ ', '"q"@example.com', 'é'])
      expect(to(login)).toEqual([]);
    const many = approvalView({
      requirement: requirement({ stages: [{ id: 's', order: 0, any_of: Array.from({ length: 400 }, (_, at) => ({ user: `u${at}` })), quorum: 1 }] }),
    });
    expect(addresses(messageOf({ about: 'requested', view: many, stage: 's' }, PUBLIC_URL), options(25))).toHaveLength(50);
  });

  test('whom a reference names hears, and who stands for somebody; a look-up that fails names nobody and stops nothing', async () => {
    const mail = await openMailServer({ disabledCommands: ['STARTTLS', 'AUTH'] });
    open.push(() => mail[Symbol.asyncDispose]());
    const people = async (view: ApprovalView): Promise<Named> => {
      if (view.target === 'broken') throw new Error('the calendar does not answer');
      return (approver) => ('ref' in approver ? [{ user: 'bob' }, { user: 'carol' }] : [approver]);
    };
    const { requests, notifier } = await openBench([channel('mail', mailChannel(options(mail.port, { tls: 'off', to: ['dba@example.com'] })))], {
      people,
    });
    open.push(() => notifier.close());
    const asked = requirement({ stages: [{ id: 'on-call', order: 0, any_of: [{ ref: 'oncall:shop' }], quorum: 1 }] });
    requests.happen('requested', approvalView({ requirement: asked }));
    requests.happen('requested', approvalView({ requirement: asked, target: 'broken', subject: subject('zoe') }));
    await vi.waitFor(() => expect(mail.received).toHaveLength(2));
    expect(mail.received.map(({ to }) => to).toSorted((a, b) => b.length - a.length)).toEqual([
      ['dba@example.com', 'bob@example.com', 'carol@example.com'],
      ['dba@example.com'],
    ]);
  });

  test('nobody to tell: no message, and no trace of one', async () => {
    const { requests, mail, notifier } = await mailed({ tls: 'off', people: null, to: [] });
    requests.happen('requested', approvalView());
    expect(notifier.status().waiting).toBe(0);
    expect(mail.received).toHaveLength(0);
  });

  function decoded(raw: string, type: string): string {
    const boundary = /boundary="([^"]+)"/.exec(raw)?.[1] ?? '';
    const part =
      raw
        .split(`--${boundary}`)
        .map((one) => one.trimStart())
        .find((one) => new RegExp(`^Content-Type: ${type}`, 'im').test(one)) ?? '';
    const body = part.slice(part.indexOf('\r\n\r\n') + 4);
    if (/content-transfer-encoding: base64/i.test(part)) return Buffer.from(body, 'base64').toString('utf8');
    if (!/content-transfer-encoding: quoted-printable/i.test(part)) return body;
    const bytes = body.replaceAll('=\r\n', '').replace(/=([0-9A-F]{2})/g, (_whole, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return Buffer.from(bytes, 'latin1').toString('utf8');
  }
});

describe('text, waiting, signing', () => {
  test('whatever it is given, a word of others is one bounded line that nothing follows', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (text) => {
        const line = plain(text, 100);
        expect(line.length).toBeLessThan(400);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]|:\/\//u);
      }),
    );
  });

  test('waits double with chance up to a bound, and never less than asked', () => {
    const limits = { backoffMs: 1_000, backoffMsMax: 60_000 };
    for (let tries = 1; tries < 30; tries++) {
      const full = Math.min(1_000 * 2 ** (tries - 1), 60_000);
      for (const chance of [0, 0.5, 0.999]) {
        expect(backoffMs(tries, null, limits, () => chance)).toBeGreaterThanOrEqual(full / 2);
        expect(backoffMs(tries, null, limits, () => chance)).toBeLessThanOrEqual(full);
        expect(backoffMs(tries, 120_000, limits, () => chance)).toBeGreaterThanOrEqual(120_000);
      }
    }
  });

  test.each<[string | undefined, number | null]>([
    [undefined, null],
    ['5', 5_000],
    ['999999999', 3_600_000],
    ['-1', null],
    ['soon', null],
    ['Mon, 23 Nov 2026 10:00:30 GMT', 30_000],
    ['Mon, 23 Nov 2026 09:00:00 GMT', 0],
  ])('Retry-After %j is %j ms', (header, ms) => {
    expect(retryAfterMs(header, Date.parse('2026-11-23T10:00:00Z'))).toBe(ms);
  });

  test('the body of a webhook names its type and time', () => {
    const body = webhookBody(letterOf({ state: 'expired' }, 'settled'));
    expect(body).toMatchObject({ type: 'interlock.settled', timestamp: '2026-11-23T10:00:00.000Z', data: { outcome: 'expired' } });
    const signed = new Webhook(SECRET).sign('ntf_01', new Date(), JSON.stringify(body));
    expect(signed).toMatch(/^v1,/);
  });
});
