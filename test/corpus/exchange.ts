/** One run of a case: its steps through the subject, and what the relay, the server and the client saw of it. */
import { createConnection } from 'node:net';
import { once } from 'node:events';
import type { Relay } from '#test/support/relay';
import type { Run, Step } from './case.ts';
import type { CorpusDatabase } from './database.ts';
import { encode, textsOf } from './step.ts';
import { type Address, type Answer, cstring, message, WireClient } from './wire.ts';

export interface StepSeen {
  readonly step: Step;
  readonly answer: Answer;
  /** The texts of the step, or for messages without a text the messages, were seen at the relay. */
  readonly reached: boolean;
  /** Something that runs a statement was seen there, be it another text. */
  readonly forwarded: boolean;
}

export interface Exchange {
  /** The refusal, if a start-up was refused. */
  readonly refusedAtStart: Answer | null;
  readonly steps: readonly StepSeen[];
  /** Every byte that the clients received. */
  readonly received: Buffer;
  readonly effectSeen: boolean;
  readonly ms: number;
}

/** @param between called before each step but the first, with its index: a reviewer may decide there */
export async function exchange(
  run: Run,
  address: Address,
  relay: Relay,
  database: CorpusDatabase,
  between: (index: number) => Promise<void> = () => Promise.resolve(),
): Promise<Exchange> {
  const started = performance.now();
  const clients = new Map<string, WireClient>();
  const steps: StepSeen[] = [];
  let refusedAtStart: Answer | null = null;
  const before = relay.connections.length;
  let already = false;
  const opened = async (name: string): Promise<WireClient | null> => {
    const known = clients.get(name);
    if (known) return known;
    const { client, answer } = await WireClient.open(address, name === '' ? (run.case.startup ?? []) : []);
    clients.set(name, client);
    if (answer.messages.some(({ type }) => type === 'Z')) return client;
    refusedAtStart = answer;
    return null;
  };
  try {
    for (const [index, step] of run.steps.entries()) {
      if (index > 0) await between(index);
      const client = await opened(step.conn ?? '');
      if (!client) break;
      if (step.target === true) already = await effect(run, relay, before, database);
      relay.clear();
      const answer = await perform(step, client, clients, address, database);
      steps.push({ step, answer, ...seenAt(relay, step) });
      if (client.closed && (step.conn ?? '') === '') break;
    }
    return {
      refusedAtStart,
      steps,
      received: Buffer.concat([...clients.values()].map((client) => client.received())),
      effectSeen: !already && (await effect(run, relay, before, database)),
      ms: performance.now() - started,
    };
  } finally {
    for (const client of clients.values()) await client.close();
  }
}

async function perform(
  step: Step,
  client: WireClient,
  clients: ReadonlyMap<string, WireClient>,
  address: Address,
  database: CorpusDatabase,
): Promise<Answer> {
  if (step.cancel !== undefined) return cancel(clients.get(step.cancel) ?? client, address);
  const { bytes, ready } = await encode(step, (signature) => database.oid(signature));
  return client.ask(bytes, ready, {
    ...(step.chunk === undefined ? {} : { chunk: step.chunk }),
    ...(step.copy_in === undefined ? {} : { copyIn: step.copy_in }),
  });
}

async function cancel(client: WireClient, address: Address): Promise<Answer> {
  const socket = createConnection({ host: address.host, port: address.port });
  socket.on('error', () => {});
  socket.end(client.cancelRequest());
  await once(socket, 'close');
  return { messages: [], bytes: Buffer.alloc(0), closed: false, hung: false };
}

/** Messages that make a server do something, by their type. */
const RUNNING = new Set(['Q', 'P', 'B', 'E', 'F', 'd']);
/** What a gateway sends to abort a segment that it refused. */
const ABORT = Buffer.from('__gw_abort__');

function seenAt(relay: Relay, step: Step): { reached: boolean; forwarded: boolean } {
  const sent = relay.connections.map((connection) => connection.sent()).filter((bytes) => bytes.length > 0);
  const messages = sent.flatMap(split).filter(({ type, body }) => RUNNING.has(type) && !body.includes(ABORT));
  const texts = textsOf(step).filter((text) => text.length > 0);
  const raw = step.raw === undefined ? [] : [Buffer.from(step.raw, 'hex')];
  const wanted = [...texts, ...raw];
  const reached =
    wanted.length > 0 ? wanted.some((text) => sent.some((bytes) => bytes.includes(text))) : messages.some(({ type }) => type === 'E' || type === 'F');
  return { reached, forwarded: messages.length > 0 };
}

/** Messages of a client, which start at a boundary because the relay was cleared while nothing was under way. */
function split(bytes: Buffer): { type: string; body: Buffer }[] {
  const found: { type: string; body: Buffer }[] = [];
  let at = bytes[0] === 0 ? bytes.readInt32BE(0) : 0; // a start-up
  while (at + 5 <= bytes.length) {
    const end = at + 1 + bytes.readInt32BE(at + 1);
    if (end < at + 5) break;
    found.push({ type: String.fromCharCode(bytes[at] as number), body: bytes.subarray(at + 5, end) });
    at = end;
  }
  return found;
}

/** Whether what the case calls its effect is so: as the superuser sees it, or in the sessions that the case opened. */
async function effect({ case: record }: Run, relay: Relay, before: number, database: CorpusDatabase): Promise<boolean> {
  if (record.effect_sql === undefined) return false;
  if (record.effect_scope !== 'session') return database.holds(record.effect_sql);
  const question = message('Q', cstring(`SELECT CASE WHEN (${record.effect_sql}) THEN 'effect-seen' END`));
  for (const connection of relay.connections.slice(before)) {
    if (!connection.open) continue;
    const answer = await connection.ask(question, (bytes) => bytes.length >= 6 && bytes.subarray(-6, -1).equals(READY));
    if (answer.includes('effect-seen')) return true;
  }
  return false;
}

const READY = Buffer.from([0x5a, 0, 0, 0, 5]);
