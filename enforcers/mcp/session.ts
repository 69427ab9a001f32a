/** One session: a principal at one client, its decisions, and its own connection to the server. */
import type { DecisionSession } from '#client/decision-service';
import type { Principal } from '#client/identity';
import type { Payload } from '#client/journal';
import { writeMcpMessage } from '#client/mcp-message';
import { timestamp } from '#client/clock';
import type { Client, Resource } from '#schemas/decision-request';
import { ERRORS, InterlockError } from '#schemas/errors';
import type { Scene } from '#enforcers/common/asked';
import type { SessionInfo } from '#enforcers/common/enforcer';
import { LIMITS } from '#enforcers/common/limits';
import { policyRefusal, type Refusal } from '#enforcers/common/refusal';
import type { CloseReason, House } from './house.ts';
import { MCP_LIMITS } from './limits.ts';
import { LostAnswers } from './lost-answers.ts';
import type { Era } from './protocol.ts';
import type { Introduction, Link } from './upstream/link.ts';

/** Declared to policy: nothing that is not really enforced here. */
export const SUPPORTED_OBLIGATIONS: readonly string[] = ['mask', 'mask.paths'];

export interface Arrival {
  readonly principal: Principal;
  readonly client: Client;
  readonly who: Introduction;
  /** sha256 of the token: the session belongs to it alone. */
  readonly token: string;
}

/** A session that policy denied. */
export class Denied extends Error {
  readonly refusal: Refusal;
  constructor(why: Refusal) {
    super(why.message);
    this.refusal = why;
  }
}

type BaseScene = Omit<Scene, 'voice' | 'objects' | 'examiner' | 'approvalRules' | 'asksOnly'>;

/** @throws Denied, InterlockError JOURNAL_UNAVAILABLE, ARCHIVE_… */
export async function openSession(arrival: Arrival, house: House): Promise<McpSession> {
  const { deps, target, enforcerId } = house;
  const { subject } = arrival.principal;
  const sessionId = deps.ids.next('ses');
  const resource: Resource = { type: 'mcp', id: target.name, properties: { env: target.env, labels: { ...target.labels } } };
  const { client } = arrival;
  const decisions = await deps.decisions.openSession({ sessionId, subject, resource, client, supportedObligations: SUPPORTED_OBLIGATIONS });
  try {
    if (decisions.opening.effect !== 'allow') throw new Denied(policyRefusal(decisions.opening));
    const { decision_id, revision } = decisions.opening;
    const opened = { session_id: sessionId, target: target.name, subject: subject.id, subject_detail: subject, resource, client };
    await deps.journal.durable(deps.journal.append({ type: 'session.opened', ...opened, protocol: 'mcp', decision_id, revision, lease: '' }));
  } catch (error) {
    decisions.close();
    throw error;
  }
  const { journal, approvals, clock, ids } = deps;
  const scene: BaseScene = {
    journal,
    decisions,
    approvals,
    clock,
    ids,
    sessionId,
    subject,
    target: target.name,
    database: '',
    role: '',
    enforcer: enforcerId,
    supported: SUPPORTED_OBLIGATIONS,
    meter: deps.meters.of(subject),
  };
  return new McpSession(arrival, scene, house);
}

export class McpSession {
  readonly id: string;
  readonly arrival: Arrival;
  readonly house: House;
  readonly scene: BaseScene;
  readonly openedAt: string;
  /** Calls under way, and requests that wait for a verdict. */
  running = 0;
  waiting = 0;
  streams = 0;
  statements = 0;
  activity = 0;
  approvalId: string | null = null;
  bytesIn = 0;
  bytesOut = 0;
  readonly lost: LostAnswers = new LostAnswers();
  readonly ended: AbortController = new AbortController();
  readonly #payloads = new Map<string, Payload>();
  #link: Promise<Link> | null = null;
  #opened: Link | null = null;

  constructor(arrival: Arrival, scene: BaseScene, house: House) {
    this.id = scene.sessionId;
    this.arrival = arrival;
    this.scene = scene;
    this.house = house;
    this.openedAt = timestamp(scene.clock.wallUs());
  }

  get subject(): Scene['subject'] {
    return this.scene.subject;
  }

  get decisions(): DecisionSession {
    return this.scene.decisions;
  }

  get era(): Era {
    return this.arrival.who.era;
  }

  get alive(): boolean {
    return !this.ended.signal.aborted;
  }

  get info(): SessionInfo {
    const state = this.waiting > 0 ? 'held' : this.running > 0 ? 'active' : 'idle';
    const { subject, openedAt: opened_at, statements } = this;
    const approval_id = this.waiting > 0 ? this.approvalId : null;
    return { session_id: this.id, subject, target: this.scene.target, client: this.arrival.client, opened_at, statements, state, approval_id };
  }

  /** Its own connection: the first time, and when the last one broke. @throws InterlockError TARGET_UNREACHABLE, CREDENTIAL_UNAVAILABLE … */
  link(): Promise<Link> {
    if (this.#opened?.alive === false) this.#link = null;
    if (this.#link === null) {
      const opening = this.house.open(this.arrival.who);
      this.#link = opening;
      opening.then(
        (link) => {
          this.#opened = link;
          if (!this.alive) link.close();
        },
        () => {
          this.#link = null;
        },
      );
    }
    return this.#link;
  }

  /** The connection, if there is one: what is not worth opening one for. */
  get openLink(): Link | null {
    return this.#opened?.alive === true ? this.#opened : null;
  }

  /** The same object for the same short text: the journal stores it once, and its facts are found by it. */
  payload(method: string, params: Readonly<Record<string, unknown>>): Payload {
    const bytes = writeMcpMessage({ method, params });
    if (bytes.length > LIMITS.sharedTextBytes) return { bytes, media: 'text' };
    const key = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
    const known = this.#payloads.get(key);
    if (known !== undefined) return known;
    if (this.#payloads.size >= LIMITS.sharedTexts) this.#payloads.clear();
    const payload: Payload = { bytes, media: 'text' };
    this.#payloads.set(key, payload);
    return payload;
  }

  /** @throws InterlockError BUDGET_SEGMENT */
  enter(): Disposable {
    if (this.running - this.waiting >= MCP_LIMITS.callsPerSession)
      throw new InterlockError('BUDGET_SEGMENT', `more than ${MCP_LIMITS.callsPerSession} requests of one session at a time`);
    this.running++;
    this.activity++;
    return {
      [Symbol.dispose]: () => {
        this.running--;
        this.activity++;
      },
    };
  }

  /** @throws InterlockError BUDGET_SEGMENT */
  wait(approvalId: string): Disposable {
    if (this.waiting >= MCP_LIMITS.waitingPerSession)
      throw new InterlockError('BUDGET_SEGMENT', `more than ${MCP_LIMITS.waitingPerSession} requests of one session wait for approvals`);
    this.waiting++;
    this.approvalId = approvalId;
    return { [Symbol.dispose]: () => void this.waiting-- };
  }

  end(reason: CloseReason): void {
    if (!this.alive) return;
    const code = reason === 'drain' ? 'DRAINING' : 'SESSION_EXPIRED';
    this.ended.abort(new InterlockError(code, ERRORS[code].meaning));
    this.#opened?.close();
    this.decisions.close();
    this.house.gone(this, reason);
  }
}
