/** The engine judges for enforcers that hold no policy: any DecisionService, over the channel (DESIGN §4). decision-wire.ts has the layouts. */
import { gunzip } from 'node:zlib';
import type { Clock } from '#client/clock';
import type { DecisionService } from '#client/decision-service';
import { isCatalog, type Knowledge } from '#schemas/knowledge';
import { Client, Resource, Subject } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { CallContext, Channel, Handlers, Stream } from '../channel/parts.ts';
import { DECISION_LIMITS, type DecisionLimits, STATE_EVERY_MS } from './decision-limits.ts';
import { METHOD, Reading } from './decision-wire.ts';
import { requireGranted } from './granted.ts';
import { encode, form } from './messages.ts';
import { ServedConnection } from './served-connection.ts';

export interface ServeDecisionsOptions {
  readonly decisions: DecisionService;
  readonly clock: Clock;
  readonly limits?: Partial<DecisionLimits>;
  /** What the engine itself says of something that an enforcer tells it; absent: nothing. */
  readonly placed?: (knowledge: Knowledge) => Knowledge;
}

/** For the listener, beside whatever else it answers. Sessions belong to their connection and end with it. */
export function serveDecisions(options: ServeDecisionsOptions): Required<Handlers> {
  const limits = { ...DECISION_LIMITS, ...options.limits };
  const served = new WeakMap<Channel, ServedConnection>();
  const of = ({ channel }: Pick<CallContext, 'channel'>): ServedConnection => {
    let connection = served.get(channel);
    if (connection === undefined) {
      const made = new ServedConnection({ ...options, limits });
      served.set(channel, (connection = made));
      channel.onClose(() => made.close());
    }
    return connection;
  };
  return {
    calls: {
      [METHOD.decide]: (payload, context) => of(context).decide(payload),
      [METHOD.read]: (payload, context) => of(context).read(payload),
      [METHOD.open]: (payload, context) => {
        if (payload.length > limits.scopeBytes) throw new InterlockError('CHANNEL_PROTOCOL', 'the opening of a session is too long');
        const { scope } = OPEN.read(payload);
        requireGranted(context.peer, scope.resource.id);
        return of(context).open(scope);
      },
      [METHOD.close]: (payload, context) => {
        of(context).end(new Reading(payload, 'the end of a session').u32());
        return NOTHING;
      },
      [METHOD.learn]: (payload, context) => learn(options, payload, context, limits),
    },
    streams: { [METHOD.state]: (stream) => tellState(options.decisions, stream) },
  };
}

const NOTHING = new Uint8Array(0);
const NAME = { type: 'string', maxLength: 256 } as const;

const OPEN = form(
  {
    type: 'object',
    required: ['scope'],
    properties: {
      scope: {
        type: 'object',
        required: ['sessionId', 'subject', 'resource', 'client', 'supportedObligations'],
        properties: {
          sessionId: { type: 'string', maxLength: 64 },
          subject: Subject,
          resource: Resource,
          client: Client,
          supportedObligations: { type: 'array', maxItems: 64, items: NAME },
        },
      },
    },
  } as const,
  'the opening of a session',
);

const LEARN = form(
  { type: 'object', required: ['target', 'database', 'fingerprint'], properties: { target: NAME, database: NAME, fingerprint: NAME } } as const,
  'what is to be learned',
);

/** By target and database: what this engine learned last. A reconnecting enforcer need not send it again. */
const learned = new WeakMap<DecisionService, Map<string, string>>();

async function learn(
  { decisions, placed }: ServeDecisionsOptions,
  payload: Uint8Array,
  { peer }: CallContext,
  limits: DecisionLimits,
): Promise<Uint8Array> {
  const reading = new Reading(payload, 'a catalog');
  const { target, database, fingerprint } = LEARN.read(reading.piece(HEAD_MAX));
  requireGranted(peer, target);
  let known = learned.get(decisions);
  if (known === undefined) learned.set(decisions, (known = new Map()));
  const key = `${target}\n${database}`;
  const packed = reading.rest();
  if (packed.length === 0) return Uint8Array.of(known.get(key) === fingerprint ? 1 : 0);
  if (known.size >= limits.catalogs && !known.has(key)) throw new InterlockError('CHANNEL_BUSY', `${known.size} catalogs are known`);
  const catalog = JSON.parse((await unpacked(Buffer.from(packed), limits.catalogBytes)).toString('utf8')) as Knowledge;
  if (catalog.fingerprint !== fingerprint || !isOf(catalog, database)) {
    throw new InterlockError('CHANNEL_PROTOCOL', 'a catalog that is not the one announced');
  }
  decisions.learn(target, placed?.(catalog) ?? catalog);
  known.set(key, fingerprint);
  return Uint8Array.of(1);
}

function isOf(catalog: Knowledge, database: string): boolean {
  if (isCatalog(catalog)) return catalog.database === database && Array.isArray(catalog.relations);
  return database === '' && Array.isArray(catalog.kind === 'http' ? catalog.routes : catalog.tools);
}

const HEAD_MAX = 4_096;

function unpacked(bytes: Buffer, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gunzip(bytes, { maxOutputLength: bytesMax }, (error, result) => {
      if (error) reject(new InterlockError('CHANNEL_PROTOCOL', `a catalog that cannot be unpacked: ${error.message}`, { cause: error }));
      else resolve(result);
    });
  });
}

/** The service has no events for it; looking costs two comparisons. */
async function tellState(decisions: DecisionService, stream: Stream): Promise<void> {
  let told = '';
  const over = Promise.withResolvers<void>();
  const look = (): void => {
    const now = `${decisions.revision} ${String(decisions.masksPossible)}`;
    if (now === told) return;
    told = now;
    stream.send(encode({ revision: decisions.revision, masks_possible: decisions.masksPossible })).catch(over.reject);
  };
  const timer = setInterval(look, STATE_EVERY_MS).unref();
  stream.signal.addEventListener('abort', () => over.resolve(), { once: true });
  try {
    look();
    await over.promise;
  } finally {
    clearInterval(timer);
  }
}
