/** A statement of SQL, with the client that everybody has. */
import { Client, DatabaseError, Query, type QueryArrayConfig, type QueryArrayResult } from 'pg';
import { InterlockError } from '#schemas/errors';
import { type Answer, type Ask, type CallOptions, detailField, type Door, isApproval, type Refused, tlsOptions } from './parts.ts';

const CONNECT_MS = 10_000;

type SqlAsk = Extract<Ask, { kind: 'sql' }>;

export async function sqlCall(door: Door, ask: SqlAsk, options: CallOptions): Promise<Answer> {
  const client = clientOf(door, ask, options);
  const held = Promise.withResolvers<Answer>();
  client.on('error', () => {});
  client.on('notice', ({ message = '', detail = '', hint = '' }) => {
    options.notice([message, hint].filter((part) => part !== '').join('. '));
    const approvalId = detailField(detail, 'approval');
    if (options.held === 'leave' && isApproval(approvalId, options.genuine)) held.resolve({ outcome: 'pending', approvalId, message, hint });
  });
  const leave = (): void => held.reject(options.signal.reason as Error);
  options.signal.addEventListener('abort', leave, { once: true });
  try {
    await connect(client, door);
    const answer = run(client, ask, options);
    answer.catch(() => {}); // whoever leaves while it is held ends the connection under it
    return await Promise.race([answer, held.promise]);
  } catch (error) {
    if (error instanceof DatabaseError) return refused(error, options);
    throw error;
  } finally {
    options.signal.removeEventListener('abort', leave);
    held.promise.catch(() => {});
    await end(client);
  }
}

function clientOf({ host, port, tls }: Door, { database }: SqlAsk, { login, token, application, asksOnly }: CallOptions): Client {
  return new Client({
    host,
    port,
    user: login,
    password: token,
    application_name: application,
    connectionTimeoutMillis: CONNECT_MS,
    ...(database === null ? {} : { database }),
    ...(asksOnly === true ? { options: '-c interlock.ask_only=on' } : {}),
    ssl: tls === null ? false : tlsOptions(tls),
  });
}

async function connect(client: Client, { target }: Door): Promise<void> {
  try {
    await client.connect();
  } catch (error) {
    if (error instanceof DatabaseError) throw error;
    throw new InterlockError('NOT_REACHABLE', `target ${target} cannot be reached: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * What is more than is shown is read and let go: ending a statement in the middle could undo it. Without a limit of rows in the protocol, under
 * which nothing may run that was approved.
 */
async function run(client: Client, { statement, params }: SqlAsk, { rowsMax, bytesMax }: CallOptions): Promise<Answer> {
  const rows: (string | null)[][] = [];
  let [bytes, full] = [0, false];
  const asked: QueryArrayConfig = { text: statement, values: [...params], rowMode: 'array', types: { getTypeParser: () => asText } };
  const query = new Query<(string | null)[]>(asked);
  query.on('row', (row: (string | null)[]) => {
    if (full) return;
    bytes += row.reduce((sum, value) => sum + (value === null ? 4 : Buffer.byteLength(value)), 0);
    full = rows.length >= rowsMax || bytes > bytesMax;
    if (!full) rows.push(row);
  });
  const { promise, resolve, reject } = Promise.withResolvers<ResultOf>();
  query.on('end', resolve);
  query.on('error', reject);
  client.query(query);
  const { fields, command, rowCount } = await promise;
  return { outcome: 'rows', columns: fields.map(({ name }) => name), rows, truncated: full, tag: [command, rowCount ?? ''].join(' ').trim() };
}

type ResultOf = Pick<QueryArrayResult, 'fields' | 'command' | 'rowCount'>;

function asText(value: string): string {
  return value;
}

function refused({ code = '', message, detail = '', hint = '' }: DatabaseError, { genuine }: CallOptions): Answer {
  const approvalId = detailField(detail, 'approval');
  if (code === 'IL001' && isApproval(approvalId, genuine)) return { outcome: 'pending', approvalId, message, hint };
  const said: Refused = { outcome: 'refused', code: detailField(detail, 'code') ?? '', sqlstate: code, message, detail, hint };
  return said;
}

/** Never waits for a statement that is still held. */
async function end(client: Client): Promise<void> {
  (client as unknown as { readonly connection: { readonly stream: { destroy(): void } } }).connection.stream.destroy();
  await Promise.resolve();
}
