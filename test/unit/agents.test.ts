/** Issue 6, "Identity for agents": the registry, the token endpoint (RFC 7523, 8693, 8707), and every token that must not count (SECURITY §1.11). */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { beforeAll, expect, test, describe } from 'vitest';
import { systemClock } from '#client/clock';
import type { Principal } from '#client/identity';
import { silentLog } from '#client/log';
import { Humans } from '#engine/agents/humans';
import { AgentIssuer } from '#engine/agents/issuer';
import type { AgentEvent } from '#engine/agents/parts';
import { Registry } from '#engine/agents/registry';
import { UsedAssertions } from '#engine/agents/replay';
import { openSharedLog } from '#engine/approvals/approvals';
import { SharedAgents } from '#engine/shared-agents';
import { openWorkloads } from '#engine/identity/workload';
import { type AgentBed, agentBed, type AgentKeys, byKey, claimsAt, form, ISSUER, keys } from '#test/support/agents';
import { human } from '#test/support/api-parts';
import { FakeClock } from '#test/support/fake-clock';
import { MemoryJournal } from '#test/support/memory-journal';
import { fairWeather, MemoryStream } from '#test/support/memory-stream';
import type { PublicJwk } from '#schemas/event-agent';
import { startOutsideIssuer } from '#test/support/outside-issuer';

const alice = human('alice', ['support', 'staff'], ['connect']);
const bob = human('bob', ['support'], ['connect']);
const root = human('root', ['platform'], ['approve']);
const by = (principal: Principal, admin = false): { principal: Principal; admin: boolean } => ({ principal, admin });

async function withAgent(options: Parameters<typeof agentBed>[0] = {}, pair: AgentKeys = keys()): Promise<AgentBed & { readonly pair: AgentKeys }> {
  const bed = await agentBed({ people: [alice, bob], ...options });
  const seen = { ...alice, issuedAtMs: bed.clock.wallUs() / 1000 };
  const ask = { name: 'refunds', targets: ['shop', 'billing'], owner: null, groups: ['bots'], ceilings: { rows_per_hour: 9 }, key: pair.open };
  await bed.agents.desk.add(ask, by(seen, true));
  return { ...bed, pair };
}

async function tokenOf(
  { agents, clock, pair }: AgentBed & { readonly pair: AgentKeys },
  more: Readonly<Record<string, string>> = {},
): Promise<string> {
  const answer = await agents.tokens.answer(byKey(pair.assert(claimsAt(clock, 'refunds')), more));
  if (!answer.ok) throw new Error(`${answer.error}: ${answer.description}`);
  return String(answer.document['access_token']);
}

const connect = { scope: 'connect' } as const;

test('a key makes a token that names agent and human; what it says of the agent is what the registry says', async () => {
  const bed = await withAgent();
  const answer = await bed.agents.tokens.answer(byKey(bed.pair.assert(claimsAt(bed.clock, 'refunds'))));
  expect(answer).toMatchObject({ ok: true, document: { token_type: 'Bearer', expires_in: 900, scope: 'connect' } });
  const { subject, scopes, expiresAtMs } = await bed.identity.authenticate(await tokenOf(bed), connect);
  expect(scopes).toEqual(['connect']);
  expect(expiresAtMs - bed.clock.wallUs() / 1000).toBeLessThanOrEqual(900_000);
  expect(subject).toEqual({
    type: 'agent',
    id: `${ISSUER}|refunds`,
    properties: {
      login: 'refunds',
      groups: ['bots'],
      on_behalf_of: { id: 'iss|alice', login: 'alice', groups: ['support', 'staff'] },
      targets: ['billing', 'shop'],
      ceilings: { rows_per_hour: 9 },
      key: expect.any(String) as string,
    },
  });
  await expect(bed.identity.authenticate(await tokenOf(bed), { scope: 'approve' })).rejects.toMatchObject({ code: 'AUTH_SCOPE' });
});

describe('assertions that are not accepted (RFC 7523)', () => {
  const wrong: Readonly<Record<string, (claims: Record<string, unknown>) => [claims: Record<string, unknown>, header?: Record<string, unknown>]>> = {
    'another audience': (claims) => [{ ...claims, aud: 'https://elsewhere.example.com' }],
    'no audience': (claims) => [without(claims, 'aud')],
    'no jti': (claims) => [without(claims, 'jti')],
    'no expiry': (claims) => [without(claims, 'exp')],
    expired: (claims) => [{ ...claims, iat: Number(claims['iat']) - 200, exp: Number(claims['iat']) - 100 }],
    'from the future': (claims) => [{ ...claims, iat: Number(claims['iat']) + 120, exp: Number(claims['iat']) + 180 }],
    'a long life': (claims) => [{ ...claims, exp: Number(claims['iat']) + 3_600 }],
    'signed by one of the name of another': (claims) => [{ ...claims, iss: 'other' }],
    'of an agent that is not there': (claims) => [{ ...claims, iss: 'other', sub: 'other' }],
    'alg none': (claims) => [claims, { alg: 'none' }],
    'a shared secret': (claims) => [claims, { alg: 'HS256' }],
    'another algorithm than the key’s': (claims) => [claims, { alg: 'ES256' }],
    'a key that it brings along': (claims) => [claims, { jwk: keys().open }],
    'a critical header': (claims) => [claims, { crit: ['b64'], b64: false }],
  };
  test.each(Object.keys(wrong))('%s', async (name) => {
    const { agents, pair, clock } = await withAgent();
    const [claims, header] = wrong[name]?.(claimsAt(clock, 'refunds')) ?? [{}];
    expect(await agents.tokens.answer(byKey(pair.assert(claims, header)))).toMatchObject({ ok: false, status: 401, error: 'invalid_client' });
  });

  test('another’s key', async () => {
    const { agents, clock } = await withAgent();
    expect(await agents.tokens.answer(byKey(keys().assert(claimsAt(clock, 'refunds'))))).toMatchObject({ ok: false, error: 'invalid_client' });
  });

  test('the same again', async () => {
    const { agents, pair, clock } = await withAgent();
    const assertion = pair.assert(claimsAt(clock, 'refunds'));
    expect(await agents.tokens.answer(byKey(assertion))).toMatchObject({ ok: true });
    expect(await agents.tokens.answer(byKey(assertion))).toMatchObject({ ok: false, error: 'invalid_client' });
  });

  test('the same again in the last second in which it counts, however its expiry is written', async () => {
    const { agents, pair, clock } = await withAgent();
    const claims = claimsAt(clock, 'refunds');
    const assertion = pair.assert({ ...claims, exp: Number(claims['iat']) + 60.5 });
    expect(await agents.tokens.answer(byKey(assertion))).toMatchObject({ ok: true });
    clock.pass((Number(claims['iat']) + 90) * 1_000 + 900 - clock.wallUs() / 1_000);
    expect(await agents.tokens.answer(byKey(assertion))).toMatchObject({ ok: false, error: 'invalid_client' });
  });

  test('one from before the process began: nobody remembers whether it was used', async () => {
    const { pair, clock, journal } = await withAgent();
    const assertion = pair.assert(claimsAt(clock, 'refunds'));
    clock.pass(2_000);
    const again = await agentBed({ journal: new MemoryJournal(clock, journal.disk), clock });
    expect(await again.agents.tokens.answer(byKey(assertion))).toMatchObject({ ok: false, error: 'invalid_client' });
    expect(await again.agents.tokens.answer(byKey(pair.assert(claimsAt(clock, 'refunds'))))).toMatchObject({ ok: true });
  });

  test('a full memory accepts nothing new, and forgets what nothing would accept any more (invariant 9)', () => {
    const used = new UsedAssertions(2);
    expect([used.use('a', 100, 0), used.use('b', 200, 0), used.use('c', 300, 0)]).toEqual(['fresh', 'fresh', 'full']);
    expect([used.use('a', 100, 0), used.use('c', 300, 150), used.use('b', 200, 150)]).toEqual(['used', 'fresh', 'used']);
  });
});

test('an elliptic key signs with ES256 and nothing else', async () => {
  const bed = await withAgent({}, keys('p256'));
  await expect(tokenOf(bed)).resolves.toContain('.');
});

test('what is asked for otherwise than the standards say gets their errors', async () => {
  const bed = await withAgent();
  const assertion = (): string => bed.pair.assert(claimsAt(bed.clock, 'refunds'));
  const error = async (fields: URLSearchParams): Promise<string> => {
    const answer = await bed.agents.tokens.answer(fields);
    return answer.ok ? 'ok' : answer.error;
  };
  expect(await error(form({}))).toBe('unsupported_grant_type');
  expect(await error(form({ grant_type: 'password', username: 'a', password: 'b' }))).toBe('unsupported_grant_type');
  expect(await error(form({ grant_type: 'client_credentials', client_id: 'refunds', client_secret: 'x' }))).toBe('invalid_client');
  expect(await error(byKey(assertion(), { scope: 'approve' }))).toBe('invalid_scope');
  expect(await error(byKey(assertion(), { client_id: 'other' }))).toBe('invalid_client');
  const twice = byKey(assertion());
  twice.append('client_assertion', assertion());
  expect(await error(twice)).toBe('invalid_request');
});

test('a token for one resource is for nothing else (RFC 8707); one of others’ is not made', async () => {
  const bed = await withAgent();
  const targets = async (more: Readonly<Record<string, string>>): Promise<readonly string[] | undefined> =>
    (await bed.identity.authenticate(await tokenOf(bed, more), connect)).subject.properties.targets;
  expect(await targets({ resource: `${ISSUER}/mcp/shop` })).toEqual(['shop']);
  expect(await targets({ audience: 'billing' })).toEqual(['billing']);
  expect(await targets({ resource: ISSUER })).toEqual(['billing', 'shop']);
  for (const resource of ['https://evil.example.com/mcp/shop', `${ISSUER}/mcp/every`, `${ISSUER}/mcp/nowhere`])
    await expect(tokenOf(bed, { resource })).rejects.toThrow('invalid_target');
});

test('its human must have been seen, and not too long ago', async () => {
  const bed = await withAgent();
  bed.clock.pass(7 * 86_400_000 + 60_000);
  await expect(tokenOf(bed)).rejects.toThrow(/invalid_grant: alice.*too long/);
  await bed.identity.authenticate('alice', connect);
  await expect(tokenOf(bed)).resolves.toContain('.');
});

test('a human’s consent: their rights, their time, and never another program’s token (RFC 8693)', async () => {
  const bed = await withAgent();
  const exchange = async (token: string): Promise<Awaited<ReturnType<typeof bed.agents.tokens.answer>>> =>
    bed.agents.tokens.answer(
      byKey(bed.pair.assert(claimsAt(bed.clock, 'refunds')), {
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      }),
    );
  const nowMs = bed.clock.wallUs() / 1000;
  const short = { ...bob, expiresAtMs: nowMs + 60_000 };
  const other = await agentBed({ people: [short], clock: bed.clock, journal: new MemoryJournal(bed.clock, bed.journal.disk) });
  const answer = await other.agents.tokens.answer(
    byKey(bed.pair.assert(claimsAt(bed.clock, 'refunds')), {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'bob',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }),
  );
  expect(answer).toMatchObject({ ok: true, document: { expires_in: 60, issued_token_type: 'urn:ietf:params:oauth:token-type:access_token' } });
  if (!answer.ok) return;
  const { subject } = await other.identity.authenticate(String(answer.document['access_token']), connect);
  expect(subject.properties.on_behalf_of).toEqual({ id: 'iss|bob', login: 'bob', groups: ['support'] });
  expect(await exchange('nobody')).toMatchObject({ ok: false, error: 'invalid_grant' });
  expect(await exchange(await tokenOf(bed))).toMatchObject({ ok: false, error: 'invalid_grant' });
});

test('what the human loses the agent loses; an older token of theirs says nothing new', async () => {
  const bed = await withAgent();
  const token = await tokenOf(bed);
  bed.sessions.push({
    sessionId: 'ses_1',
    subject: (await bed.identity.authenticate(token, connect)).subject,
  });
  bed.clock.pass(60_000);
  const less = await agentBed({
    people: [human('alice', ['staff'], ['connect'])],
    clock: bed.clock,
    journal: new MemoryJournal(bed.clock, bed.journal.disk),
  });
  less.sessions.push(...bed.sessions);
  await less.identity.authenticate('alice', connect);
  await expect.poll(async () => (await less.agents.desk.show('refunds', by(alice))).owner.groups).toEqual(['staff']);
  await expect.poll(() => less.ended).toEqual(['ses_1']);
  less.agents.close();
});

test('an older token of a human gives nothing back, here or after a restart', async () => {
  const bed = await withAgent();
  const more = human('alice', ['support', 'staff', 'root'], ['connect']);
  const older = async ({ identity, people, clock }: AgentBed, login: string, principal: Principal): Promise<void> => {
    people.set(login, principal);
    clock.set(-30_000);
    await identity.authenticate(login, connect);
    clock.set(30_000);
  };
  const again = await agentBed({ journal: new MemoryJournal(bed.clock, bed.journal.disk), clock: bed.clock, people: [alice] });
  for (const one of [bed, again]) {
    await older(one, 'alice', more);
    const answer = await one.agents.tokens.answer(form({})); // waits for what is being written
    expect(answer.ok).toBe(false);
    expect((await one.agents.desk.show('refunds', by(alice))).owner.groups).toEqual(['support', 'staff']);
  }
  const humans = new Humans(() => {});
  const seen = (groups: readonly string[], issuedAtMs: number): unknown => humans.see(human('bob', groups, ['connect'], { issuedAtMs }));
  seen(['support'], 1);
  seen([], 3);
  expect(seen(['support'], 2)).toBeNull();
  expect(humans.lostBy('iss|bob')).toEqual(['support']);
  seen(['support'], 4);
  expect(humans.lostBy('iss|bob')).toEqual([]);
  for (const { agents } of [bed, again]) agents.close();
});

test('a session for a target that its agent has no more ends, though the key is the same', async () => {
  const bed = await withAgent();
  const { subject } = await bed.identity.authenticate(await tokenOf(bed), connect);
  await bed.agents.desk.remove('refunds', by(alice));
  const ask = { name: 'refunds', targets: ['billing'], owner: null, groups: ['bots'], ceilings: {}, key: bed.pair.open };
  await bed.agents.desk.add(ask, by({ ...alice, issuedAtMs: bed.clock.wallUs() / 1000 }, true));
  bed.sessions.push(
    { sessionId: 'ses_shop', subject },
    { sessionId: 'ses_kept', subject: { ...subject, properties: { ...subject.properties, targets: ['billing'] } } },
  );
  await expect.poll(() => bed.ended).toContain('ses_shop');
  expect(bed.ended).not.toContain('ses_kept');
  bed.agents.close();
});

test('invariant 9: agents of one owner, and tokens of one agent in a moment', async () => {
  const bed = await withAgent();
  for (let token = 0; token < 30; token++) await tokenOf(bed);
  await expect(tokenOf(bed)).rejects.toThrow('slow_down');
  bed.clock.pass(1_000);
  await expect(tokenOf(bed)).resolves.toContain('.');
  const ask = { targets: ['shop'], owner: null, groups: null, ceilings: {}, key: keys().open };
  for (let count = 1; count < 100; count++) await bed.agents.desk.add({ ...ask, name: `a${count}` }, by(alice));
  await expect(bed.agents.desk.add({ ...ask, name: 'a100' }, by(alice))).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('100'),
  });
});

test('what the registry has seen it does not go back behind', () => {
  const registry = new Registry();
  const base = { contract: 1, agent: 'a', by: 'x', time: '2026-11-23T10:00:00.000000Z' } as const;
  const event = (type: string, seq: number): AgentEvent => ({ ...base, type, seq, record: { owner: { id: 'iss|x' } } }) as unknown as AgentEvent;
  expect(registry.apply(event('agent.removed', 5))).toBe(true);
  expect([registry.apply(event('agent.added', 4)), registry.apply(event('agent.removed', 5))]).toEqual([false, false]);
  expect(registry.get('a')?.record).toBeNull();
});

describe('tokens that are signed by the right key, and are none', () => {
  const clock = new FakeClock();
  const registry = new Registry();
  const gone = new Set<string>();
  let issuer: AgentIssuer;
  let sign: (header: Record<string, unknown>, aud: string[]) => Promise<string>;

  beforeAll(async () => {
    const { privateKey, publicKey } = await generateKeyPair('EdDSA', { extractable: true });
    const { kty, crv, x } = await exportJWK(publicKey);
    const signing = { kid: 'one', key: privateKey, jwk: { kty, crv, x } as PublicJwk };
    const owner = { id: 'iss|alice', login: 'alice', groups: ['support'], seen_at: null };
    const record = { owner, targets: ['shop', 'billing'], groups: [], ceilings: {}, key: keys().open, key_id: 'k', key_since: '' };
    registry.apply({ contract: 1, type: 'agent.added', agent: 'a', by: 'x', time: '', seq: 1, record } as unknown as AgentEvent);
    const targetOf = (resource: string): string | null => (gone.has(resource) ? null : (resource.split('/').at(-1) ?? null));
    issuer = new AgentIssuer({ url: () => ISSUER, signing, registry, lostBy: () => [], targetOf, clock });
    const iat = Math.floor(clock.wallUs() / 1_000_000);
    const claims = { sub: 'iss|alice', preferred_username: 'alice', groups: [], act: { iss: ISSUER, sub: 'a' }, jti: 'j', key: 'k' };
    sign = (header, aud) =>
      new SignJWT({ ...claims, iss: ISSUER, aud, iat, exp: iat + 60 })
        .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'one', ...header })
        .sign(privateKey);
  });

  test('another type, or a key of its own', async () => {
    await expect(issuer.verify(await sign({}, [ISSUER]))).resolves.toMatchObject({ subject: { id: `${ISSUER}|a` } });
    for (const header of [{ typ: 'JWT' }, { typ: 'id+jwt' }, { jwk: keys().open }, { x5u: 'https://x' }, { kid: 'two' }])
      await expect(issuer.verify(await sign(header, [ISSUER]))).rejects.toThrow();
  });

  test('for something that is none of ours (any more)', async () => {
    const [shop, billing] = [`${ISSUER}/targets/shop`, `${ISSUER}/targets/billing`];
    expect((await issuer.verify(await sign({}, [shop, billing]))).subject.properties.targets).toEqual(['shop', 'billing']);
    gone.add(billing);
    await expect(issuer.verify(await sign({}, [shop, billing]))).rejects.toThrow('aud');
    await expect(issuer.verify(await sign({}, [ISSUER, billing]))).rejects.toThrow('aud');
  });
});

test('what a human who is not the owner loses, an agent that acts for them loses too: by older tokens, and in sessions that are open', async () => {
  const bed = await withAgent();
  const exchanged = await bed.agents.tokens.answer(
    byKey(bed.pair.assert(claimsAt(bed.clock, 'refunds')), {
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'bob',
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    }),
  );
  if (!exchanged.ok) throw new Error(exchanged.description);
  const behalf = async (): Promise<Principal> => bed.identity.authenticate(String(exchanged.document['access_token']), connect);
  const before = await behalf();
  expect(before.subject.properties.on_behalf_of).toMatchObject({ id: 'iss|bob', groups: ['support'] });
  bed.sessions.push({ sessionId: 'ses_bob', subject: before.subject });
  bed.clock.pass(60_000);
  bed.people.set('bob', human('bob', ['staff'], ['connect']));
  await bed.identity.authenticate('bob', connect);
  expect((await behalf()).subject.properties.on_behalf_of).toMatchObject({ groups: [] });
  await expect.poll(() => bed.ended).toContain('ses_bob');
  bed.agents.close();
});

test('who is removed or has another key is out: tokens at once, sessions by the registry', async () => {
  const bed = await withAgent();
  const token = await tokenOf(bed);
  const { subject } = await bed.identity.authenticate(token, connect);
  bed.sessions.push({ sessionId: 'ses_old', subject });
  bed.sessions.push({ sessionId: 'ses_user', subject: alice.subject });
  bed.clock.pass(1_000);
  const next = keys();
  await bed.agents.desk.rotate('refunds', next.open, by(alice));
  await expect(bed.identity.authenticate(token, connect)).rejects.toMatchObject({ code: 'AUTH_FAILED' });
  await expect(tokenOf(bed)).rejects.toThrow('invalid_client');
  await expect.poll(() => bed.ended).toEqual(['ses_old']);
  const later = await tokenOf({ ...bed, pair: next });
  await bed.agents.desk.remove('refunds', by(alice));
  await expect(bed.identity.authenticate(later, connect)).rejects.toMatchObject({ code: 'AUTH_FAILED' });
  await expect(tokenOf({ ...bed, pair: next })).rejects.toThrow('invalid_client');
  bed.agents.close();
});

test('who may change what', async () => {
  const bed = await withAgent();
  await expect(bed.agents.desk.remove('refunds', by(bob))).rejects.toMatchObject({ code: 'AGENT_NOT_FOUND' });
  await expect(bed.agents.desk.rotate('refunds', keys().open, by(bob))).rejects.toMatchObject({ code: 'AGENT_NOT_FOUND' });
  expect(await bed.agents.desk.list(by(bob))).toEqual([]);
  expect(await bed.agents.desk.list(by(root, true))).toMatchObject([{ name: 'refunds' }]);
  const ask = { name: 'more', targets: ['shop'], owner: null, groups: null, ceilings: {}, key: keys().open };
  const agent = (await bed.identity.authenticate(await tokenOf(bed), connect)) as Principal;
  await expect(bed.agents.desk.add(ask, by(agent, true))).rejects.toMatchObject({ code: 'AGENT_REFUSED' });
  await expect(bed.agents.desk.add({ ...ask, owner: 'alice' }, by(bob))).rejects.toMatchObject({ code: 'AGENT_REFUSED' });
  await expect(bed.agents.desk.add({ ...ask, name: 'refunds' }, by(alice))).rejects.toMatchObject({ code: 'AGENT_EXISTS' });
  for (const odd of [
    { kty: 'OKP', crv: 'Ed25519', x: 'short' },
    { kty: 'RSA', n: 'x', e: 'AQAB' },
    { ...keys().open, d: 'A'.repeat(43) },
    { kty: 'EC', crv: 'P-256', x: 'A'.repeat(43), y: 'A'.repeat(43) },
  ])
    await expect(bed.agents.desk.add({ ...ask, key: odd as never }, by(alice))).rejects.toMatchObject({ code: 'USAGE' });
  for (const name of ['Refunds', 'a--b', '-a', 'a'.repeat(64), 'my-claude', ''])
    await expect(bed.agents.desk.add({ ...ask, name }, by(alice))).rejects.toMatchObject({ code: 'USAGE' });
  // without groups of its own it has its owner's, as of now
  expect(await bed.agents.desk.add(ask, by(alice))).toMatchObject({ groups: ['staff', 'support'] });
});

test('A2: nobody gives an agent a group that they are not in themselves: ceilings and approvals go by groups', async () => {
  const bed = await agentBed();
  const ask = { name: 'mine', targets: ['shop'], owner: null, groups: ['trusted-agents'], ceilings: {}, key: keys().open };
  await expect(bed.agents.desk.add(ask, by(alice))).rejects.toMatchObject({
    code: 'AGENT_REFUSED',
    message: expect.stringContaining('trusted-agents'),
  });
  expect(await bed.agents.desk.add({ ...ask, groups: ['staff'] }, by(alice))).toMatchObject({ groups: ['staff'] });
  expect(await bed.agents.desk.add({ ...ask, name: 'given', owner: 'alice' }, by(root, true))).toMatchObject({ groups: ['trusted-agents'] });
});

test('the name of a removed agent is its owner’s: what policies, approvals and records say of it is said of no other’s', async () => {
  const bed = await withAgent();
  await bed.agents.desk.remove('refunds', by(alice));
  const ask = { name: 'refunds', targets: ['shop'], owner: null, groups: null, ceilings: {}, key: keys().open };
  await expect(bed.agents.desk.add(ask, by(bob))).rejects.toMatchObject({ code: 'AGENT_EXISTS' });
  const again = await agentBed({ journal: new MemoryJournal(bed.clock, bed.journal.disk), clock: bed.clock });
  await expect(again.agents.desk.add(ask, by(bob))).rejects.toMatchObject({ code: 'AGENT_EXISTS' });
  expect(await again.agents.desk.add(ask, by(alice))).toMatchObject({ name: 'refunds', owner: { login: 'alice' } });
  await again.agents.desk.remove('refunds', by(alice));
  expect(await again.agents.desk.add({ ...ask, owner: 'bob', groups: ['support'] }, by(root, true))).toMatchObject({ owner: { login: 'bob' } });
  for (const { agents } of [bed, again]) agents.close();
});

test('an engine that starts looks for sessions of agents that were removed while it was away', async () => {
  const bed = await withAgent();
  const { subject } = await bed.identity.authenticate(await tokenOf(bed), connect);
  await bed.agents.desk.remove('refunds', by(alice));
  bed.agents.close();
  const sessions = [{ sessionId: 'ses_elsewhere', subject }];
  const again = await agentBed({ journal: new MemoryJournal(bed.clock, bed.journal.disk), clock: bed.clock, sessions });
  await expect.poll(() => again.ended).toContain('ses_elsewhere');
  again.agents.close();
});

test('the registry is there again after a restart', async () => {
  const bed = await withAgent();
  const token = await tokenOf(bed);
  await bed.agents.announce();
  bed.clock.pass(2_000);
  const again = await agentBed({ journal: new MemoryJournal(bed.clock, bed.journal.disk), clock: bed.clock });
  // another engine's key in this bed: it was told, so its tokens count here too
  expect((await again.identity.authenticate(token, connect)).subject.properties.login).toBe('refunds');
});

test('over several engines one order: of two at once one counts, and who is removed at one is out at all (ADR 18)', async () => {
  const stream = new MemoryStream();
  const open = async (engine: string): Promise<AgentBed & { readonly catchUp: () => Promise<void>; close(): Promise<void> }> => {
    const journal = new MemoryJournal(systemClock);
    const ordered = openSharedLog({
      stream: stream.connection(fairWeather),
      journal,
      clock: systemClock,
      log: silentLog,
      engine,
      key: Buffer.alloc(32, 1),
      limits: { retryMs: 1 },
    });
    const shared = new SharedAgents(ordered, journal);
    const bed = await agentBed({ shared, people: [alice] });
    shared.follow((event) => bed.agents.follow(event));
    await ordered.start();
    ordered.speak();
    await shared.share();
    await bed.agents.announce();
    return { ...bed, catchUp: () => ordered.catchUp(), close: () => ordered.close() };
  };
  const [one, two] = [await open('one'), await open('two')];
  const pair = keys();
  const ask = { name: 'refunds', targets: ['shop'], owner: null, groups: null, ceilings: {}, key: pair.open };
  const seen = { ...alice, issuedAtMs: one.clock.wallUs() / 1000 };
  const outcomes = await Promise.allSettled([one.agents.desk.add(ask, by(seen)), two.agents.desk.add({ ...ask, key: keys().open }, by(seen))]);
  expect(outcomes.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
  await Promise.all([one.catchUp(), two.catchUp()]);
  await one.agents.desk.rotate('refunds', pair.open, by(alice));
  await two.catchUp();
  // made at one, accepted at the other
  const token = await tokenOf({ ...one, pair });
  expect((await two.identity.authenticate(token, connect)).subject.id).toBe(`${ISSUER}|refunds`);
  await two.agents.desk.remove('refunds', by(alice));
  await one.catchUp();
  await expect(one.identity.authenticate(token, connect)).rejects.toMatchObject({ code: 'AUTH_FAILED' });
  for (const bed of [one, two]) {
    bed.agents.close();
    await bed.close();
  }
});

test('a workload’s token gets what the configuration binds it to, and nothing else does (Kubernetes, GitHub)', async () => {
  await using outside = await startOutsideIssuer();
  const config = {
    url: outside.url,
    audience: 'interlock',
    jwksUrl: null,
    caFile: null,
    algorithms: ['RS256', 'ES256', 'EdDSA'],
    maxAgeMs: 3_600_000,
    bind: new Map([['system:serviceaccount:shop:refunds', 'refunds']]),
  };
  const bed = await withAgent({ workloads: openWorkloads([config], systemClock, silentLog) });
  const nowS = Math.floor(Date.now() / 1000);
  const claims = { iss: outside.url, sub: 'system:serviceaccount:shop:refunds', aud: ['interlock'], iat: nowS, exp: nowS + 600 };
  const ask = async (more: object, header: object = {}): Promise<string> => {
    const token = await outside.sign({ header: { alg: 'ES256', ...header }, claims: { ...claims, ...more } });
    const answer = await bed.agents.tokens.answer(
      form({
        grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
        subject_token: token,
        subject_token_type: 'urn:ietf:params:oauth:token-type:jwt',
      }),
    );
    return answer.ok ? (await bed.identity.authenticate(String(answer.document['access_token']), connect)).subject.id : answer.error;
  };
  expect(await ask({})).toBe(`${ISSUER}|refunds`);
  expect(await ask({}, { typ: 'JWT' })).toBe(`${ISSUER}|refunds`);
  expect(await ask({ sub: 'system:serviceaccount:shop:other' })).toBe('invalid_grant');
  expect(await ask({ aud: 'elsewhere' })).toBe('invalid_grant');
  expect(await ask({ aud: ['interlock', 'elsewhere'] })).toBe('invalid_grant');
  expect(await ask({ exp: nowS - 60 })).toBe('invalid_grant');
  expect(await ask({}, { typ: 'at+jwt' })).toBe('invalid_grant');
  expect(await ask({ iss: 'https://elsewhere.example.com' })).toBe('invalid_grant');
});

function without(claims: Record<string, unknown>, name: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name));
}
