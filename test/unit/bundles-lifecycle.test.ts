/** E5: what is in force on an enforcer that is sent bundles: one whole revision, never an older one, never past its time; a bad bundle changes nothing. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PolicyActivated, PolicyRejected } from '#schemas/event';
import { silentLog } from '#client/log';
import type { BundlePublisher } from '#engine/bundles/publisher';
import type { BundleReceiver } from '#engine/bundles/receiver';
import type { SigningKey } from '#engine/bundles/keys';
import { type BundleContents, signBundle } from '#engine/bundles/sign';
import { verifyBundle } from '#engine/bundles/verify';
import { meter } from '#engine/decide/meter';
import { unpackPolicies } from '#engine/decide/packed';
import { FolderSource } from '#engine/decide/policy-source';
import type { DecisionServiceOptions, LocalDecisionService } from '#engine/decide/service';
import { BundleFileSource, openPublisher, openReceiver, publishingTo, pushedSource } from '#engine/policies';
import { keyFolder, trusting } from '#test/support/bundles';
import { moment, opaProgram, openService, policyFolder, scope } from '#test/support/decide';
import { FakeClock } from '#test/support/fake-clock';

const HOUR_MS = 3_600_000;
const rule = (set: string, code: string): string => `package policies.a.main\n\n${set} contains {"code": "${code}", "reason": "x"} if true\n`;

let keys: Awaited<ReturnType<typeof keyFolder>>;
let key: SigningKey;
beforeAll(async () => {
  keys = await keyFolder();
  key = keys.key('engine');
});
afterAll(() => keys[Symbol.asyncDispose]());

async function codesOf(service: LocalDecisionService): Promise<string[]> {
  const session = service.openSession(scope());
  const { decision } = await session.decide(await session.read(Buffer.from('READ orders'), {}), moment());
  return decision.reasons.map(({ code }) => code);
}

interface Engine extends AsyncDisposable {
  readonly publisher: BundlePublisher;
  readonly service: LocalDecisionService;
  write(text: string): Promise<Uint8Array>;
}

/** Judges by a folder, and signs what it judges by. */
async function openEngine(clock: FakeClock, text: string, stateDir?: string, maxAgeMs = 100 * HOUR_MS): Promise<Engine> {
  const folder = await policyFolder({ 'main.rego': text, 'cases.yaml': '[]\n' });
  const publisher = await openPublisher({ stateDir: stateDir ?? folder.dir, keys: [key], validMs: HOUR_MS, maxAgeMs, clock, log: silentLog });
  const source = new FolderSource({ dir: folder.dir, data: [], watch: false }, opaProgram, publishingTo(publisher));
  const service = await openService(folder.dir, { clock, source, policies: { dir: '', data: [], watch: false, maxAgeMs: 100 * HOUR_MS } });
  return {
    publisher,
    service,
    write: async (next) => {
      await folder.write('main.rego', next);
      await service.reload();
      return current(publisher);
    },
    [Symbol.asyncDispose]: async () => {
      service.close();
      publisher.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

function current(publisher: BundlePublisher): Uint8Array {
  return publisher.current?.bytes ?? new Uint8Array();
}

interface Enforcer extends AsyncDisposable {
  readonly service: LocalDecisionService;
  readonly receiver: BundleReceiver;
  readonly recorded: (PolicyActivated | PolicyRejected)[];
  readonly stateDir: string;
}

async function openEnforcer(clock: FakeClock, over: { stateDir?: string; selfTest?: DecisionServiceOptions['selfTest'] } = {}): Promise<Enforcer> {
  const stateDir = over.stateDir ?? (await mkdtemp(join(tmpdir(), 'interlock-enforcer-')));
  const recorded: (PolicyActivated | PolicyRejected)[] = [];
  const service = await openService('', {
    clock,
    source: pushedSource,
    policies: { dir: '', data: [], watch: false, maxAgeMs: 1 }, // a bundle brings its own
    record: (event) => recorded.push(event),
    opa: () => Promise.reject(new Error('an enforcer has no OPA')),
    ...(over.selfTest && { selfTest: over.selfTest }),
  });
  const receiver = await openReceiver(service, { stateDir, trusted: () => trusting(key), clock });
  return {
    service,
    receiver,
    recorded,
    stateDir,
    [Symbol.asyncDispose]: async () => {
      service.close();
      await rm(stateDir, { recursive: true, force: true });
    },
  };
}

/** What is in a bundle, signed anew after a change. */
async function resigned(bundle: Uint8Array, clock: FakeClock, change: (of: BundleContents) => BundleContents, number?: number): Promise<Uint8Array> {
  const { manifest, files } = await verifyBundle(bundle, { trusted: trusting(key), nowUs: clock.wallUs() });
  const nowUs = clock.wallUs();
  const of = change({ revision: manifest.revision, build: manifest.build, files });
  return signBundle(of, { number: number ?? manifest.number, madeAtUs: nowUs, expiresUs: nowUs + HOUR_MS * 1000, keys: [key] }).bytes;
}

describe('an enforcer that is sent bundles', () => {
  test('refuses everything until it has one; then judges by it, without OPA, and every event names it', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    expect(await codesOf(enforcer.service)).toEqual(['POLICY_UNAVAILABLE']);
    const number = engine.publisher.current?.manifest.number ?? 0;
    const answer = await enforcer.receiver.receive(current(engine.publisher));
    expect(answer).toEqual({ outcome: 'activated', revision: engine.service.revision, number });
    expect(await codesOf(enforcer.service)).toEqual(['ONE']);
    expect(enforcer.recorded).toEqual([{ type: 'policy.activated', revision: engine.service.revision, previous: null, source: `bundle ${number}` }]);
  });

  test('judges as the engine does: reads, packages, sets and data survive the way', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(
      clock,
      `${rule('deny', 'NO')}\nmask contains {"code": "M", "reason": "x", "columns": ["public.a.b"], "using": "null"} if input.subject.id != ""\n`,
    );
    await using enforcer = await openEnforcer(clock);
    await enforcer.receiver.receive(current(engine.publisher));
    expect(enforcer.service.masksPossible).toBe(true);
    expect(enforcer.service.documents()).toEqual(engine.service.documents());
    const { files, manifest } = await verifyBundle(current(engine.publisher), { trusted: trusting(key), nowUs: clock.wallUs() });
    const theirs = unpackPolicies(files, manifest);
    expect([...theirs.cases]).toEqual([['cases.yaml', '[]\n']]);
    const ours = engine.service.inForce()?.judge.policies;
    const comparable = (of: typeof theirs.compiled | undefined): unknown => ({
      ...of,
      wasm: Buffer.from(of?.wasm ?? []).toString('hex'),
      stages: JSON.stringify(of?.stages, withoutIds),
    });
    expect(comparable(theirs.compiled)).toEqual(comparable(ours && { ...theirs.compiled, ...pick(ours) }));
  });

  test('takes over the next one at once; a statement that is being judged stays with its own', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    await enforcer.receiver.receive(current(engine.publisher));
    const session = enforcer.service.openSession(scope());
    const statement = await session.read(Buffer.from('READ orders'), {});
    const before = (await session.decide(statement, moment())).decision;
    clock.pass(1000);
    const answer = await enforcer.receiver.receive(await engine.write(rule('deny', 'TWO')));
    expect(answer).toMatchObject({ outcome: 'activated', revision: engine.service.revision });
    const after = (await session.decide(statement, moment())).decision;
    expect([before.revision, after.revision]).toEqual([
      enforcer.recorded[1]?.type === 'policy.activated' ? enforcer.recorded[1].previous : '',
      engine.service.revision,
    ]);
    expect([before.reasons[0]?.code, after.reasons[0]?.code]).toEqual(['ONE', 'TWO']);
  });

  test('that are sent at once takes them one after the other', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'C0'));
    await using enforcer = await openEnforcer(clock);
    const bundles = [current(engine.publisher)];
    for (const code of ['C1', 'C2', 'C3']) {
      clock.pass(1000);
      bundles.push(await engine.write(rule('allow', code)));
    }
    const answers = await Promise.all([...bundles, ...bundles].map((bundle) => enforcer.receiver.receive(bundle)));
    expect(answers.map(({ outcome }) => outcome)).toEqual([...Array<string>(4).fill('activated'), ...Array<string>(3).fill('rejected'), 'confirmed']);
    expect(await codesOf(enforcer.service)).toEqual(['C3']);
  });
});

function withoutIds(name: string, value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries(value as Map<string, unknown>);
  return name === 'id' || name === 'depth' ? undefined : value;
}

function pick<T extends object>({ plan: _plan, sources: _sources, ...rest }: T & { plan?: unknown; sources?: unknown }): object {
  return rest;
}

describe('rollback', () => {
  test('an old bundle that is sent again is refused, also after a restart; the record says so, and the newest stays in force', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'OLD'));
    await using enforcer = await openEnforcer(clock);
    const old = current(engine.publisher);
    await enforcer.receiver.receive(old);
    clock.pass(1000);
    await enforcer.receiver.receive(await engine.write(rule('deny', 'NEW')));
    const refused = {
      outcome: 'rejected',
      code: 'BUNDLE_ROLLBACK',
      revision: engine.service.revision,
      detail: expect.stringContaining(engine.service.revision),
    };
    expect(await enforcer.receiver.receive(old)).toEqual(refused);
    expect(await codesOf(enforcer.service)).toEqual(['NEW']);
    expect(enforcer.recorded.at(-1)).toEqual({
      type: 'policy.rejected',
      source: 'bundle',
      code: 'BUNDLE_ROLLBACK',
      at: expect.stringMatching(/^the bundle has number \d+; newer is \d+/),
    });
    await using again = await openEnforcer(clock, { stateDir: enforcer.stateDir });
    expect(await again.receiver.receive(old)).toMatchObject({ outcome: 'rejected', code: 'BUNDLE_ROLLBACK' });
    expect(await codesOf(again.service)).toEqual(['POLICY_UNAVAILABLE']);
    expect(await again.receiver.receive(current(engine.publisher))).toMatchObject({ outcome: 'activated' });
  });

  test('going back to old policies is a new number, and works', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'OLD'));
    await using enforcer = await openEnforcer(clock);
    await enforcer.receiver.receive(current(engine.publisher));
    clock.pass(1000);
    await enforcer.receiver.receive(await engine.write(rule('deny', 'NEW')));
    clock.pass(1000);
    expect(await enforcer.receiver.receive(await engine.write(rule('allow', 'OLD')))).toMatchObject({ outcome: 'activated' });
    expect(await codesOf(enforcer.service)).toEqual(['OLD']);
  });

  test('two revisions under one number: the second is refused', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    const number = engine.publisher.current?.manifest.number ?? 0;
    await enforcer.receiver.receive(current(engine.publisher));
    clock.pass(1000);
    const fork = await resigned(await engine.write(rule('deny', 'TWO')), clock, (of) => of, number);
    expect(await enforcer.receiver.receive(fork)).toMatchObject({ code: 'BUNDLE_ROLLBACK', detail: expect.stringContaining('that number is taken') });
  });

  test('several engines: the same revision under any number is current; an older one of an engine that lags is not taken', async () => {
    const clock = new FakeClock();
    await using first = await openEngine(clock, rule('allow', 'ONE'));
    clock.pass(1000);
    await using second = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    await enforcer.receiver.receive(current(second.publisher));
    expect(first.publisher.current?.manifest.number).toBeLessThan(second.publisher.current?.manifest.number ?? 0);
    expect(await enforcer.receiver.receive(current(first.publisher))).toMatchObject({ outcome: 'confirmed' });
    clock.pass(1000);
    await enforcer.receiver.receive(await second.write(rule('deny', 'TWO')));
    expect(await enforcer.receiver.receive(current(first.publisher))).toMatchObject({ outcome: 'rejected', code: 'BUNDLE_ROLLBACK' });
    clock.pass(1000);
    expect(await enforcer.receiver.receive(await first.write(rule('deny', 'TWO')))).toMatchObject({ outcome: 'confirmed' });
  });

  test('a memory that says nothing keeps it from starting: it must not be taken for a first start', async () => {
    const clock = new FakeClock();
    await using enforcer = await openEnforcer(clock);
    for (const text of ['', '{}', '{"number":0,"revision":"x"}', 'garbage', `{"number":1,"revision":"sha256:${'a'.repeat(64)}","more":1}`]) {
      await writeFile(join(enforcer.stateDir, 'bundles', 'received.json'), text);
      await expect(openReceiver(enforcer.service, { stateDir: enforcer.stateDir, trusted: () => [], clock }), text).rejects.toMatchObject({
        code: 'BUNDLE_STATE',
      });
    }
  });

  test('what cannot be remembered does not come into force', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    await enforcer.receiver.receive(current(engine.publisher));
    const remembered = join(enforcer.stateDir, 'bundles', 'received.json');
    await mkdir(`${remembered}.new`); // no file can be made there
    clock.pass(1000);
    const next = await engine.write(rule('deny', 'TWO'));
    expect(await enforcer.receiver.receive(next)).toMatchObject({ outcome: 'rejected', code: 'BUNDLE_STATE' });
    expect(await codesOf(enforcer.service)).toEqual(['ONE']);
    await rm(`${remembered}.new`, { recursive: true });
    expect(await enforcer.receiver.receive(next)).toMatchObject({ outcome: 'activated' });
    expect(JSON.parse(await readFile(remembered, 'utf8'))).toEqual({
      number: engine.publisher.current?.manifest.number,
      revision: engine.service.revision,
    });
  });
});

describe('a bundle that is rightly signed', () => {
  test('and fails its self-test leaves the last good one in force, and is not remembered', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('deny', 'CANARY'));
    const selfTest: DecisionServiceOptions['selfTest'] = async ({ judge }) => {
      const { resource, subject } = scope();
      const { decision } = await judge({ subject, resource, action: 'sql.execute', statement: 'READ canary' });
      if (decision.effect !== 'deny') throw new Error('the canary was not refused');
    };
    await using enforcer = await openEnforcer(clock, { selfTest });
    await enforcer.receiver.receive(current(engine.publisher));
    const before = await readFile(join(enforcer.stateDir, 'bundles', 'received.json'), 'utf8');
    clock.pass(1000);
    expect(await enforcer.receiver.receive(await engine.write(rule('allow', 'OPEN')))).toMatchObject({
      outcome: 'rejected',
      detail: 'the canary was not refused',
    });
    expect(await codesOf(enforcer.service)).toEqual(['CANARY']);
    expect(await readFile(join(enforcer.stateDir, 'bundles', 'received.json'), 'utf8')).toBe(before);
    expect(enforcer.recorded.at(-1)).toMatchObject({ type: 'policy.rejected', source: `bundle ${engine.publisher.current?.manifest.number}` });
    expect(enforcer.service.status().error).toBe('the canary was not refused');
  });

  test('is refused when its WASM is not metered, whoever signed it', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    const bundle = current(engine.publisher);
    const withWasm = (change: (wasm: Buffer) => Uint8Array): Promise<Uint8Array> =>
      resigned(bundle, clock, (of) => ({
        ...of,
        files: new Map([...of.files].map(([path, content]) => [path, path === 'policy.wasm' ? change(Buffer.from(content)) : content])),
      }));
    // `global.get fuel; i32.const 1; i32.sub; global.set fuel` with a 0 for the 1: it counts nothing
    const free = await withWasm((wasm) => {
      const at = wasm.indexOf(Buffer.from([0x41, 1, 0x6b, 0x24]));
      expect(at).toBeGreaterThan(0);
      wasm[at + 1] = 0;
      return wasm;
    });
    expect(await enforcer.receiver.receive(free)).toMatchObject({ code: 'POLICY_UNMETERED', detail: expect.stringContaining('runs without fuel') });
    const plain = await withWasm((wasm) => {
      const at = wasm.indexOf('interlock_fuel');
      wasm.write('interlock_full', at, 'latin1');
      return wasm;
    });
    expect(await enforcer.receiver.receive(plain)).toMatchObject({ code: 'POLICY_UNMETERED', detail: expect.stringContaining('exports no fuel') });
    const twice = await withWasm((wasm) => meter(wasm));
    expect(await enforcer.receiver.receive(twice)).toMatchObject({ outcome: 'rejected', detail: expect.stringContaining('Duplicate export') });
    expect(await enforcer.receiver.receive(await withWasm(() => Buffer.from('no module')))).toMatchObject({ code: 'POLICY_UNMETERED' });
    expect(await enforcer.receiver.receive(await withWasm((wasm) => wasm))).toMatchObject({ outcome: 'activated' });
  });

  test('is refused when its revision is not that of its policies, or a file is not one of policies', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    const bundle = current(engine.publisher);
    const put = (path: string, text: string): Promise<Uint8Array> =>
      resigned(bundle, clock, (of) => ({ ...of, files: new Map([...of.files, [path, Buffer.from(text)]]) }));
    for (const [spoilt, words] of [
      [await put('data.json', '{"a":1}'), 'its revision is not that of its policies'],
      [await put('modules/more.rego', 'package x'), 'its revision is not that of its policies'],
      [await put('other.txt', ''), 'other.txt is no file of policies'],
      [await put('policy.json', '{}'), 'policy.json is not of its form'],
      [await put('data.json', '[]'), 'data.json is no object'],
      [await resigned(bundle, clock, (of) => ({ ...of, revision: `sha256:${'0'.repeat(64)}` })), 'its revision is not that of its policies'],
    ] as const) {
      expect(await enforcer.receiver.receive(spoilt), words).toMatchObject({
        outcome: 'rejected',
        code: 'BUNDLE_MALFORMED',
        detail: `the bundle is malformed: ${words}`,
      });
    }
    expect(enforcer.service.judging).toBe(false);
  });
});

describe('time', () => {
  test('what nobody confirms for max_age judges no more; a word of the engine for this very revision is enough', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'), undefined, 10_000);
    await using enforcer = await openEnforcer(clock);
    await enforcer.receiver.receive(current(engine.publisher));
    clock.pass(9_000);
    expect(await codesOf(enforcer.service)).toEqual(['ONE']);
    clock.pass(1_500);
    expect(await codesOf(enforcer.service)).toEqual(['POLICY_UNAVAILABLE']);
    expect(enforcer.receiver.confirm(`sha256:${'0'.repeat(64)}`)).toBe(false);
    expect(await codesOf(enforcer.service)).toEqual(['POLICY_UNAVAILABLE']);
    expect(enforcer.receiver.confirm(engine.service.revision)).toBe(true);
    expect(await codesOf(enforcer.service)).toEqual(['ONE']);
  });

  test('past its expiry nothing judges, whoever confirms it; signed again, it does', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    const first = current(engine.publisher);
    await enforcer.receiver.receive(first);
    clock.pass(HOUR_MS - 1);
    expect(await codesOf(enforcer.service)).toEqual(['ONE']);
    clock.pass(1);
    enforcer.receiver.confirm(engine.service.revision);
    expect(await codesOf(enforcer.service)).toEqual(['POLICY_UNAVAILABLE']);
    expect(await enforcer.receiver.receive(first)).toMatchObject({ code: 'BUNDLE_EXPIRED' });
    await engine.publisher.renew();
    expect(await enforcer.receiver.receive(current(engine.publisher))).toMatchObject({ outcome: 'confirmed' });
    expect(await codesOf(enforcer.service)).toEqual(['ONE']);
  });

  test('one that is past half of its time is asked for again, though its revision is in force: it may have been signed anew', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    const { revision } = engine.service;
    await enforcer.receiver.receive(current(engine.publisher));
    clock.pass(HOUR_MS / 2 - 1);
    expect(enforcer.receiver.confirm(revision)).toBe(true);
    clock.pass(1);
    expect(enforcer.receiver.confirm(revision)).toBe(false);
    // the sender has no other yet: it is not asked at every word
    await enforcer.receiver.receive(current(engine.publisher));
    expect(enforcer.receiver.confirm(revision)).toBe(true);
    clock.pass(HOUR_MS / 32);
    expect(enforcer.receiver.confirm(revision)).toBe(false);
    await engine.publisher.renew();
    await enforcer.receiver.receive(current(engine.publisher));
    clock.pass(HOUR_MS / 2 - 1);
    expect(enforcer.receiver.confirm(revision)).toBe(true);
    expect(await codesOf(enforcer.service)).toEqual(['ONE']);
  });

  test('after a bad bundle what is in force ages, until the engine says again that it is the newest', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    await using enforcer = await openEnforcer(clock);
    await enforcer.receiver.receive(current(engine.publisher));
    await enforcer.receiver.receive(Buffer.from('garbage'));
    expect(enforcer.service.status().error).toContain('malformed');
    expect(enforcer.receiver.confirm(engine.service.revision)).toBe(true);
    expect(enforcer.service.status().error).toBeNull();
  });
});

describe('an engine', () => {
  test('signs again at half the time, under the same number; another revision has a greater one, also after a restart and with a clock set back', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    const told: number[] = [];
    engine.publisher.onChange(({ manifest }) => told.push(manifest.number));
    const first = engine.publisher.current?.manifest;
    clock.pass(HOUR_MS / 2 - 1);
    await engine.publisher.renew();
    expect(told).toEqual([]);
    clock.pass(1);
    await engine.publisher.renew();
    expect(told).toEqual([first?.number]);
    expect(engine.publisher.current?.manifest.made_at).not.toBe(first?.made_at);
    clock.set(-24 * HOUR_MS);
    await engine.write(rule('allow', 'TWO'));
    expect(told.at(-1)).toBe((first?.number ?? 0) + 1);
  });

  test('goes on where it stood after a restart', async () => {
    const clock = new FakeClock();
    const stateDir = await mkdtemp(join(tmpdir(), 'interlock-engine-'));
    try {
      const numbers: number[] = [];
      for (const code of ['ONE', 'ONE', 'TWO']) {
        await using engine = await openEngine(clock, rule('allow', code), stateDir);
        numbers.push(engine.publisher.current?.manifest.number ?? 0);
        clock.pass(1000);
      }
      expect(numbers[1]).toBe(numbers[0]);
      expect(numbers[2]).toBeGreaterThan(numbers[0] ?? 0);
    } finally {
      await rm(stateDir, { recursive: true, force: true });
    }
  });

  test('does not judge by what it cannot sign', async () => {
    const clock = new FakeClock();
    const folder = await policyFolder({ 'main.rego': rule('allow', 'ONE'), 'with blank.rego': 'package x\n' });
    await using _ = folder;
    const publisher = await openPublisher({ stateDir: folder.dir, keys: [key], validMs: HOUR_MS, maxAgeMs: HOUR_MS, clock, log: silentLog });
    const source = new FolderSource({ dir: folder.dir, data: [], watch: false }, opaProgram, publishingTo(publisher));
    await expect(openService(folder.dir, { source })).rejects.toMatchObject({
      code: 'BUNDLE_MALFORMED',
      message: expect.stringContaining('with blank.rego'),
    });
    publisher.close();
  });
});

describe('policies.source.bundle', () => {
  test('a file that a pipeline replaces: taken over while running; a bad one is not; none, or a bad one, does not start', async () => {
    const clock = new FakeClock();
    await using engine = await openEngine(clock, rule('allow', 'ONE'));
    const dir = await mkdtemp(join(tmpdir(), 'interlock-bundle-'));
    try {
      const file = join(dir, 'policies.bundle');
      const passed: number[] = [];
      const open = (): Promise<LocalDecisionService> => {
        const source = new BundleFileSource(file, true, {
          stateDir: dir,
          trusted: () => trusting(key),
          clock,
          taken: ({ manifest }) => passed.push(manifest.number),
        });
        return openService('', { clock, source });
      };
      await expect(open()).rejects.toMatchObject({ code: 'BUNDLE_MALFORMED', message: expect.stringContaining('ENOENT') });
      await writeFile(file, 'garbage');
      await expect(open()).rejects.toMatchObject({ code: 'BUNDLE_MALFORMED' });
      await writeFile(file, current(engine.publisher));
      const service = await open();
      expect(await codesOf(service)).toEqual(['ONE']);
      clock.pass(1000);
      await writeFile(file, await engine.write(rule('deny', 'TWO')));
      await expect.poll(() => codesOf(service), { timeout: 20_000 }).toEqual(['TWO']);
      await writeFile(file, 'garbage');
      await expect.poll(() => service.status().error, { timeout: 20_000 }).toContain('malformed');
      expect(await codesOf(service)).toEqual(['TWO']);
      await expect(service.reload()).rejects.toMatchObject({ code: 'BUNDLE_MALFORMED' });
      expect(passed).toHaveLength(2);
      service.close();
      await chmod(file, 0o600);
    } finally {
      await rm(dir, { recursive: true, force: true });
    }
  });
});
