/** Facts by hand, and a decision service over a folder of policies, for tests of judging that need no parser. */
import { mkdtemp, rm, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Effect, Opaque, SqlFacts, SqlStatement } from '#schemas/sql-facts';
import { systemClock } from '#client/clock';
import type { Moment, SessionScope } from '#client/decision-service';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import type { FactsReader, MaskRewriter } from '#engine/decide/ports';
import { type DecisionServiceOptions, type LocalDecisionService, openDecisionService } from '#engine/decide/service';
import { tool } from '#tools/tools';

export const PACK5 = new URL('../cases/decide/pack5', import.meta.url).pathname;
const SHAPE = `sha256:${'0'.repeat(64)}`;

export function statementFacts(over: Partial<SqlStatement> = {}): SqlStatement {
  return {
    index: 0,
    parent: null,
    kind: 'select',
    class: 'read',
    span: { start: 0, end: 8 },
    shape: SHAPE,
    where: 'none',
    limit: 'none',
    locking: false,
    columns: [],
    output: [],
    functions: [],
    explain: 'no',
    ...over,
  };
}

export function effect(verb: Effect['verb'], table: string, over: Partial<Effect> = {}): Effect {
  const object = { kind: 'table', schema: 'public', name: table, qualified: `public.${table}` } as const;
  return { verb, object, statement: 0, via: [], confidence: 'named', ...over };
}

export function facts(over: Partial<SqlFacts> = {}): SqlFacts {
  const parser = { name: 'by hand', major: 15 };
  return { dialect: 'postgresql', parser, parsed: true, statements: [statementFacts()], effects: [], session: [], params: [], opaque: [], ...over };
}

export function unparsed(opaque: Opaque): SqlFacts {
  return facts({ parsed: false, statements: [], opaque: [opaque] });
}

/** Answers the facts that a test has set for a text; the same object for the same text. */
export class HandFacts implements FactsReader {
  readonly byText = new Map<string, SqlFacts>();
  reads = 0;

  read(text: Uint8Array): SqlFacts {
    this.reads++;
    const name = Buffer.from(text).toString('utf8');
    let known = this.byText.get(name);
    if (!known) this.byText.set(name, (known = this.guess(name)));
    return known;
  }

  /** `READ customers`, `UPDATE payments`: enough for most tests. */
  private guess(text: string): SqlFacts {
    const [verb = '', table = ''] = text.split(' ');
    if (verb === 'READ') return facts({ effects: [effect('read', table)] });
    if (verb === 'UPDATE') {
      return facts({ statements: [statementFacts({ kind: 'update', class: 'write', where: 'bound' })], effects: [effect('update', table)] });
    }
    return unparsed({ code: 'syntax', detail: `syntax error at ${verb}` });
  }
}

/** Masks nothing: no text has a masked column. */
export const noMasks: MaskRewriter = {
  rewrite: (text) => ({ ok: true, rewrite: { text, masked: [], toOriginal: (offset) => offset } }),
};

export function opaProgram(): Promise<string> {
  return tool('opa');
}

export function openService(dir: string, over: Partial<DecisionServiceOptions> = {}): Promise<LocalDecisionService> {
  return openDecisionService({
    policies: { dir, data: [], watch: false, maxAgeMs: 60_000 },
    facts: new HandFacts(),
    masks: noMasks,
    clock: systemClock,
    ids: new Ids(systemClock),
    log: silentLog,
    record: () => {},
    opa: opaProgram,
    ...over,
  });
}

export function scope(over: { groups?: string[]; env?: string; labels?: Record<string, string>; supported?: readonly string[] } = {}): SessionScope {
  return {
    sessionId: 'ses_01JDB000000000000000000000',
    subject: { type: 'user', id: 'https://issuer|alice', properties: { login: 'alice', groups: over.groups ?? ['app'] } },
    resource: { type: 'postgresql', id: 'shop', properties: { env: over.env ?? 'test', labels: over.labels ?? {}, server_version: '15.18' } },
    client: { address: '127.0.0.1', application: 'test', tls: true },
    supportedObligations: over.supported ?? ['mask', 'row_limit', 'read_only'],
  };
}

const SETTINGS = { search_path: 'public' };

export function moment(over: Partial<Moment> = {}): Moment {
  return { action: 'sql.execute', statementId: 'stm_01JDB000000000000000000000', transaction: 'idle', settings: SETTINGS, params: null, ...over };
}

/** A folder of policies with these files; `await using` removes it. */
export async function policyFolder(
  files: Readonly<Record<string, string>>,
): Promise<{ dir: string; write(name: string, text: string): Promise<void> } & AsyncDisposable> {
  const dir = await mkdtemp(join(tmpdir(), 'interlock-pack-'));
  const write = async (name: string, text: string): Promise<void> => {
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), text);
  };
  for (const [name, text] of Object.entries(files)) await write(name, text);
  return { dir, write, [Symbol.asyncDispose]: () => rm(dir, { recursive: true, force: true }) };
}
