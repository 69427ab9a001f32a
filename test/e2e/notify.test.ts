/** Notification through the whole: a held write in psql's protocol, messages to real receivers, the command line, a restart. SECURITY A9, I7. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { alice, bob, refusalOf, type Shop, startShop } from '#test/support/approval-shop';
import { type MailServer, openMailServer, openReceiver, type Receiver, SECRET } from '#test/support/notify';

let hook: Receiver;
let chat: Receiver;
let mail: MailServer;
let shop: Shop;
let dir: string;

beforeAll(async () => {
  [hook, chat, mail] = await Promise.all([openReceiver(), openReceiver(), openMailServer({ disabledCommands: ['STARTTLS', 'AUTH'] })]);
  dir = mkdtempSync(join(tmpdir(), 'interlock-notify-'));
  const file = (name: string, content: string): { file: string } => {
    writeFileSync(join(dir, name), `${content}\n`, { mode: 0o600 });
    return { file: join(dir, name) };
  };
  const notify = [
    { name: 'hook', webhook: { url: hook.url, secret: file('secret', SECRET) } },
    { name: 'chat', slack: { webhook: file('slack', `${chat.url}/T0/B0/hunter2`) }, on: ['requested'] },
    {
      name: 'mail',
      smtp: {
        host: '127.0.0.1',
        port: mail.port,
        tls: 'off',
        from: 'interlock@example.com',
        to_approvers: { domain: 'example.com', groups: { owners: 'owners@example.com' } },
      },
    },
  ];
  shop = await startShop({ approvals: { wait: '30ms', notify } });
});
afterAll(async () => {
  await shop?.[Symbol.asyncDispose]();
  for (const one of [hook, chat, mail]) await one?.[Symbol.asyncDispose]();
  if (dir !== undefined) rmSync(dir, { recursive: true, force: true });
});

async function held(text: string): Promise<string> {
  const client = await shop.client(alice);
  await refusalOf(client.query(text));
  await client.end();
  return (await shop.opened(text)).approval_id;
}

async function command(...args: string[]): Promise<{ readonly code: number; readonly document: unknown }> {
  const file = join(shop.dir, 'bob.token');
  writeFileSync(file, await shop.token(bob), { mode: 0o600 });
  const { code, stdout, stderr } = await shop.gateway.interlock('notify', ...args, '--json', '--token-file', file);
  if (stdout === '') throw new Error(stderr);
  return { code, document: JSON.parse(stdout) };
}

const told = (receiver: Receiver, approvalId: string): readonly string[] =>
  receiver.received.map(({ body }) => body).filter((body) => body.includes(approvalId));

test('A9: those who are asked get a pointer, the requester hears the outcome, and the statement is in none of it', async () => {
  const text = "UPDATE payments SET note = 'geheim' WHERE id = 1";
  const id = await held(text);
  await vi.waitFor(() => expect([told(hook, id).length, told(chat, id).length, mail.received.length]).toEqual([1, 1, 1]), { timeout: 5_000 });
  const { body, headers } = hook.received.at(-1) as Receiver['received'][number];
  expect(new Webhook(SECRET).verify(body, headers as Record<string, string>)).toMatchObject({
    type: 'interlock.requested',
    data: { login: 'alice', target: 'shop', url: expect.stringMatching(new RegExp(`^http://.*/approvals/${id}$`)) as string },
  });
  expect(mail.received[0]?.to).toEqual(['owners@example.com']);
  await shop.verdict(id, 'approve');
  await vi.waitFor(() => expect(mail.received).toHaveLength(2), { timeout: 5_000 });
  expect(mail.received[1]?.to).toEqual(['alice@example.com']);
  await vi.waitFor(() => expect(told(hook, id).at(-1)).toContain('"outcome":"approved"'), { timeout: 5_000 });
  expect(told(chat, id)).toHaveLength(1);
  for (const words of [...told(hook, id), ...told(chat, id), ...mail.received.map(({ raw }) => raw)]) expect(words).not.toContain(text);
  const sent = (await shop.events()).filter((event) => event.type === 'notification.sent');
  expect(sent.map(({ channel, about, outcome }) => `${channel} ${about} ${outcome}`).toSorted()).toEqual([
    'chat requested delivered',
    'hook requested delivered',
    'hook settled delivered',
    'mail requested delivered',
    'mail settled delivered',
  ]);
});

test('a receiver that is away ends in a dead message: seen by status and list, sent again by resend, over a restart of the gateway', async () => {
  hook.answer = () => ({ status: 410 });
  const id = await held('UPDATE payments SET n = n + 1 WHERE id = 2');
  await vi.waitFor(
    async () =>
      expect(await command('list', '--dead')).toMatchObject({
        document: [{ channel: 'hook', state: 'dead', approval_id: id, detail: 'status 410', tries: 3 }],
      }),
    // alice's second one within fifteen seconds is gathered, and then it is tried three times
    { timeout: 45_000, interval: 500 },
  );
  expect(await shop.call(bob, '/v1/status')).toMatchObject({ body: { ok: true, notifications: { channels: 3, dead: 1 } } });
  // N6: who does not read everything sees nothing of it
  expect(await shop.call({ login: 'eve', groups: ['support'] }, '/v1/notifications')).toMatchObject({ body: { items: [] } });
  await shop.restart('SIGKILL');
  const { document } = await command('list', '--dead');
  const [dead] = document as readonly { readonly notification_id: string }[];
  hook.answer = () => ({ status: 200 });
  const before = told(hook, id).length;
  expect(await command('resend', dead?.notification_id ?? '')).toMatchObject({ code: 0 });
  await vi.waitFor(() => expect(told(hook, id)).toHaveLength(before + 1), { timeout: 5_000 });
  expect(new Set(hook.received.filter(({ body }) => body.includes(id)).map(({ headers }) => headers['webhook-id'])).size).toBe(1);
  // what was delivered before the restart was not told again
  expect(told(chat, id)).toHaveLength(1);
});

test('a channel is tried with one message, and says how it went', async () => {
  expect(await command('test', 'mail')).toMatchObject({ code: 1, document: { state: 'dead' } });
  expect(await command('test', 'chat')).toMatchObject({ code: 0, document: { channel: 'chat', about: 'test', state: 'delivered' } });
  await expect(command('test', 'nobody')).resolves.toMatchObject({ document: { error: { code: 'NOTIFICATION_NOT_FOUND' } } });
});

test('I7: the address of the chat and the secret of the hook stand in no log and no record', async () => {
  const record = JSON.stringify(await shop.events());
  for (const secret of ['hunter2', SECRET.slice(6)]) {
    expect(record).not.toContain(secret);
    expect(shop.gateway.log()).not.toContain(secret);
  }
});
