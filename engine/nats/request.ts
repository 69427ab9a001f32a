/** Requests to JetStream and what it answers, with errors by number: https://github.com/nats-io/nats-server/blob/main/server/errors.json */
import { errors, type Msg, type MsgHdrs, type NatsConnection } from '@nats-io/transport-node';
import { InterlockError } from '#schemas/errors';

export const API = {
  wrongLastSequence: 10_071,
  wrongLastSequenceUnnamed: 10_164,
  streamNotFound: 10_059,
} as const;

/** A refusal of JetStream's own. */
export class ApiRefused extends InterlockError {
  readonly number: number;
  constructor(number: number, description: string) {
    super('ARCHIVE_UNAVAILABLE', `NATS refused: ${description} (${number})`);
    this.number = number;
  }
}

/** @throws InterlockError ARCHIVE_UNAVAILABLE: nobody answered, and it is not known whether the request arrived; ARCHIVE_SETUP: it is not permitted */
export async function request(
  connection: NatsConnection,
  subject: string,
  body: Uint8Array | string,
  timeout: number,
  headers?: MsgHdrs,
): Promise<Msg> {
  try {
    return await connection.request(subject, body, headers === undefined ? { timeout } : { timeout, headers });
  } catch (error) {
    const forbidden = violationIn(error);
    if (forbidden !== null) throw new InterlockError('ARCHIVE_SETUP', `NATS does not permit it: ${forbidden.message}`, { cause: error });
    throw new InterlockError('ARCHIVE_UNAVAILABLE', whyUnanswered(error, timeout), { cause: error });
  }
}

/** The answer's JSON. @throws ApiRefused what its `error` says */
export function answerOf<T>(message: Msg): T {
  const answer = message.json<T & { error?: { err_code?: number; description?: string } }>();
  if (answer.error !== undefined) throw new ApiRefused(answer.error.err_code ?? 0, answer.error.description ?? 'no reason given');
  return answer;
}

function whyUnanswered(error: unknown, timeout: number): string {
  if (error instanceof errors.NoRespondersError || (error instanceof errors.RequestError && error.isNoResponders()))
    return 'no stream answers: it is missing, or has no leader';
  if (error instanceof errors.TimeoutError || (error instanceof errors.RequestError && error.cause instanceof errors.TimeoutError))
    return `NATS did not answer within ${timeout} ms`;
  return error instanceof Error ? error.message : String(error);
}

function violationIn(error: unknown): Error | null {
  for (let at: unknown = error; at instanceof Error; at = at.cause) if (at instanceof errors.PermissionViolationError) return at;
  return null;
}
