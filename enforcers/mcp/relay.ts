/** What the server says besides its answer: which of it a client may hear, and which of its questions it may get. Everything else ends here. */
import type { Sink } from './upstream/link.ts';
import type { Answering } from './answer.ts';
import type { EndedSession } from './house.ts';
import type { RpcNotification, RpcOutcome, RpcRequest } from './message.ts';
import { MCP_LIMITS } from './limits.ts';
import { ERROR, SERVER_REQUESTS, type RpcId } from './protocol.ts';
import type { Reply } from './reply.ts';
import type { McpSession } from './session.ts';
import { hidden, type ListMethod } from './visibility.ts';

const LIST_CHANGES: Readonly<Record<string, string>> = {
  'notifications/tools/list_changed': 'tools',
  'notifications/resources/list_changed': 'resources',
  'notifications/prompts/list_changed': 'prompts',
};

/** Questions of the server that the client has not answered yet, by the id under which the client knows them. */
export class Questions {
  readonly #open = new Map<string, { readonly session: McpSession; readonly id: RpcId }>();

  ask(session: McpSession, request: RpcRequest, reply: Reply): void {
    const link = session.openLink;
    if (link === null) return;
    const kind = Object.hasOwn(SERVER_REQUESTS, request.method) ? SERVER_REQUESTS[request.method as keyof typeof SERVER_REQUESTS] : null;
    if (request.method === 'ping') return void link.answer(request.id, { ok: true, result: {} }).catch(() => {});
    const { target } = session.house;
    const able = kind !== null && session.arrival.who.capabilities[kind] !== undefined;
    if (kind === null || !target.fromServer[kind] || !able || session.era !== 'legacy' || this.#open.size >= MCP_LIMITS.serverRequests * 64) {
      const error = { code: ERROR.method, message: `${request.method} is not allowed here` };
      session.house.deps.log.warn({ target: target.name, method: request.method.slice(0, 64) }, 'a server asked for what it may not');
      return void link.answer(request.id, { ok: false, error }).catch(() => {});
    }
    const id = `${session.id}-${session.scene.ids.next('non')}`;
    this.#open.set(id, { session, id: request.id });
    reply.say({ jsonrpc: '2.0', id, method: request.method, params: request.params });
  }

  /** The client's answer; false: to no question of this session. */
  async answered(session: McpSession, id: RpcId, outcome: RpcOutcome): Promise<boolean> {
    const asked = this.#open.get(String(id));
    if (asked === undefined || asked.session !== session) return false;
    this.#open.delete(String(id));
    await session.openLink?.answer(asked.id, outcome);
    return true;
  }

  forget(session: EndedSession): void {
    for (const [id, asked] of this.#open) if (asked.session === session) this.#open.delete(id);
  }
}

export interface Hearing {
  readonly session: McpSession;
  readonly questions: Questions;
  readonly reply: Reply;
  /** null: a stream of what is told without being asked. */
  readonly answering: Answering | null;
  /** Put on everything of a subscription. */
  readonly subscription: RpcId | null;
}

export function sinkFor({ session, questions, reply, answering, subscription }: Hearing): Sink {
  return {
    notified: (notification) => void told(notification, { session, reply, answering, subscription }),
    asked: (request) => questions.ask(session, request, reply),
    event: (id, retryMs) => {
      // an id is the server's text: on a masked call it stays here
      if (session.era !== 'legacy' || reply.id === null || answering?.masks === true) return;
      reply.mark(id !== null && session.lost.tell(id) ? id : null, retryMs);
    },
    left: () => {
      if (reply.id !== null) session.lost.expect(reply.id);
      reply.close();
    },
  };
}

async function told(notification: RpcNotification, { session, reply, answering, subscription }: Omit<Hearing, 'questions'>): Promise<void> {
  const { method, params } = notification;
  if (Object.hasOwn(LIST_CHANGES, method)) {
    if (method === 'notifications/tools/list_changed') void session.house.keeper.look().catch(() => {});
    return pass(method, {}, reply, subscription);
  }
  switch (method) {
    case 'notifications/progress': {
      const passing = answering?.notification(notification);
      if (passing) pass(method, passing.params, reply, null);
      return;
    }
    case 'notifications/message': {
      const passing = session.house.target.fromServer.logging ? answering?.notification(notification) : null;
      if (passing) pass(method, passing.params, reply, null);
      return;
    }
    case 'notifications/resources/updated': {
      const { uri } = params;
      if (typeof uri === 'string' && (await hidden('resources/list' satisfies ListMethod, uri, session)) === null)
        pass(method, { uri }, reply, subscription);
      return;
    }
    case 'notifications/subscriptions/acknowledged':
      return pass(method, { notifications: params['notifications'] }, reply, subscription);
    default:
      return; // of elicitation, tasks … : not known, so not passed
  }
}

function pass(method: string, params: Readonly<Record<string, unknown>>, reply: Reply, subscription: RpcId | null): void {
  const meta = subscription === null ? {} : { _meta: { 'io.modelcontextprotocol/subscriptionId': subscription } };
  const whole = { ...params, ...meta };
  reply.say({ jsonrpc: '2.0', method, ...(Object.keys(whole).length === 0 ? {} : { params: whole }) });
}
