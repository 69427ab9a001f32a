/** One client connection in its data phase: two sockets, and what passes between them under enforcement. */
import type { Socket } from 'node:net';
import type { DecisionService } from '#client/decision-service';
import type { DurablePosition } from '#client/journal';
import type { Log } from '#client/log';
import type { Asked, Scene } from '#enforcers/common/asked';
import type { Outcome } from '#enforcers/common/cleared';
import { enforce } from '#enforcers/common/enforce';
import { LIMITS } from '#enforcers/common/limits';
import { isPromise } from '#enforcers/common/promise';
import { receive } from '#enforcers/common/receive';
import { refusal, refusalOf, type Refusal } from '#enforcers/common/refusal';
import { refuse } from '#enforcers/common/refuse';
import { Gate, Wire } from '#enforcers/common/socket';
import { Approving, type ApprovingHost } from './approving.ts';
import type { Controlled, ControlHost } from './controlled.ts';
import { Ending, type CloseReason } from './ending.ts';
import { Frames } from './frames.ts';
import { Holding, type HoldingHost } from './holding.ts';
import { Judging, type SessionCatalog } from './judging.ts';
import { Line } from './line.ts';
import { Messages, type MessageHost } from './messages.ts';
import { Outcomes } from './outcomes.ts';
import { F, message, TRANSACTION } from './protocol.ts';
import { Refusing } from './refusing.ts';
import { Replies, type ReplySink } from './replies.ts';
import type { SettingSets, Settings } from './settings.ts';
import { PROTOCOL } from './support.ts';
import type { Surveyor } from './surveyor.ts';
import { malformed, unsupported } from './words.ts';

export interface SessionParts {
  readonly client: Socket;
  readonly target: Socket;
  readonly scene: Omit<Scene, 'objects' | 'voice' | 'examiner'>;
  readonly decisions: DecisionService;
  readonly sets: SettingSets;
  readonly catalog: SessionCatalog;
  readonly log: Log;
  readonly statementBytes: number;
  /** Proof that `session.opened` is on stable storage. */
  readonly opened: DurablePosition;
  /** What the client is told of parameters on a target with masks, whatever the target says (M15). */
  readonly told: ReadonlyMap<string, string>;
  readonly surveyor: Surveyor;
  readonly closed: (session: PostgresSession, reason: CloseReason) => void;
}

export class PostgresSession {
  readonly #parts: SessionParts;
  readonly #scene: Scene;
  readonly #client: Wire;
  readonly #target: Wire;
  readonly #clientGate: Gate;
  readonly #targetGate: Gate;
  readonly #frames: Frames;
  readonly #line: Line;
  readonly #replies: Replies;
  readonly #judging: Judging;
  readonly #outcomes: Outcomes;
  readonly #refusing: Refusing;
  readonly #messages: Messages;
  readonly #holding: Holding;
  readonly #approving: Approving;
  readonly #controlled: Controlled;
  readonly #ending: Ending;
  /** Something asynchronous is under way for the client's current message. */
  #waiting = false;
  /** Counts up whenever something happens: who watches for idleness reads the clock, nobody else. */
  activity = 0;

  constructor(parts: SessionParts, settings: Settings) {
    const { scene } = parts;
    this.#parts = parts;
    this.#client = new Wire(parts.client);
    this.#target = new Wire(parts.target);
    this.#clientGate = new Gate(parts.client);
    this.#targetGate = new Gate(parts.target);
    this.#frames = new Frames(parts.statementBytes);
    this.#line = new Line({
      target: this.#target,
      journal: scene.journal,
      clock: scene.clock,
      opened: parts.opened,
      secret: scene.ids.next('non'),
      left: () => this.#flushTarget(),
      undurable: (error) => this.#ending.guard(() => this.#undurable(error)),
      fault: (error) => this.#ending.fault(error),
    });
    this.#replies = new Replies(this.#client, this.#line.expected, this.#sink());
    this.#judging = new Judging(
      {
        decisions: parts.decisions,
        ids: scene.ids,
        sets: parts.sets,
        catalog: parts.catalog,
        remembers: scene.approvalRules.inTransaction === 'any',
      },
      settings,
    );
    this.#outcomes = new Outcomes(scene);
    this.#refusing = new Refusing({ line: this.#line, judging: this.#judging, outcomes: this.#outcomes, client: this.#client });
    this.#messages = new Messages(this.#host());
    this.#holding = new Holding(this.#holdingHost());
    this.#approving = new Approving(this.#approvingHost());
    this.#controlled = this.#approving.controlled;
    this.#ending = new Ending({
      sessionId: scene.sessionId,
      client: this.#client,
      target: this.#target,
      line: this.#line,
      replies: this.#replies,
      controlled: this.#controlled,
      holding: this.#holding,
      decisions: scene.decisions,
      log: parts.log,
      closed: (reason) => parts.closed(this, reason),
    });
    this.#scene = {
      ...scene,
      objects: (_asked, statement) => this.#judging.objection(statement, this.#controlled.open),
      voice: this.#holding.voice,
      examiner: this.#approving.examiner,
    };
  }

  get id(): string {
    return this.#scene.sessionId;
  }

  get statements(): number {
    return this.#judging.statements;
  }

  get state(): 'idle' | 'active' | 'held' {
    if (this.#holding.approvalId !== null) return 'held';
    return this.#waiting || !this.#line.idle ? 'active' : 'idle';
  }

  get approvalId(): string | null {
    return this.#holding.approvalId;
  }

  get bytes(): { readonly in: number; readonly out: number } {
    return { in: this.#parts.client.bytesRead, out: this.#client.written };
  }

  /** What the client's cancel request means now: the end of a wait, or a cancel at the target; `none` when nothing runs. */
  cancel(): 'held' | 'running' | 'none' {
    if (this.#holding.end('cancel')) return 'held';
    return this.#line.idle ? 'none' : 'running';
  }

  /** Ends the session from our side; the client is told why. */
  end(reason: CloseReason, why: Refusal): void {
    this.#ending.end(reason, why);
  }

  /** The client has been greeted: from here on its messages count. */
  begin(leftover: Buffer): void {
    const { client, target } = this.#parts;
    client.on('data', (chunk: Buffer) => this.#ending.guard(() => this.#fromClient(chunk)));
    target.on('data', (chunk: Buffer) => this.#ending.guard(() => this.#fromTarget(chunk)));
    client.on('drain', () => this.#targetGate.open('client'));
    target.on('drain', () => this.#clientGate.open('target'));
    for (const event of ['end', 'close']) {
      client.on(event, () => this.#ending.guard(() => this.#ending.finish('client')));
      target.on(event, () => this.#ending.guard(() => this.#ending.targetGone()));
    }
    client.resume();
    target.resume();
    if (leftover.length > 0) this.#ending.guard(() => this.#fromClient(leftover));
  }

  // — bytes —

  #fromClient(chunk: Buffer): void {
    this.activity++;
    this.#frames.push(chunk);
    this.#pump();
  }

  #fromTarget(chunk: Buffer): void {
    this.#replies.take(chunk);
    if (this.#refusing.barrier && this.#line.idle) this.#pump();
    else this.#flushClient();
  }

  #flushClient(): void {
    if (!this.#client.flush()) this.#targetGate.close('client');
  }

  #flushTarget(): void {
    if (!this.#target.flush()) this.#clientGate.close('target');
  }

  /** Takes messages as long as nothing has to be waited for. */
  #pump(): void {
    while (!this.#waiting && this.#ending.alive && !this.#mustWait()) {
      const state = this.#frames.next();
      if (state === 'partial') break;
      if (state === 'malformed') return this.end('client', refusal('PROTOCOL', 'invalid message length'));
      if (state === 'oversized') this.#oversized();
      else this.#message();
    }
    if (this.#frames.waiting > LIMITS.readAheadBytes) this.#clientGate.close('ahead');
    else this.#clientGate.open('ahead');
    // what only prepares a held statement waits with it, so that the target holds no locks meanwhile
    if (!this.#waiting || this.#line.pressing) this.#line.release();
    this.#flushTarget();
    this.#flushClient();
  }

  #mustWait(): boolean {
    if (this.#refusing.barrier) {
      if (!this.#line.idle) return true;
      this.#refusing.barrier = false;
    }
    // whether a failed transaction is over is known only from the answer to what was sent to end it
    if (this.#judging.transaction.over && !this.#line.open && !this.#line.idle) return (this.#refusing.barrier = true);
    if (this.#line.expected.length < LIMITS.unansweredMessages) return false;
    // the target keeps answers back until Sync or Flush: ask for them, so that what is unanswered stays bounded
    if (this.#line.open) this.#line.flush();
    this.#refusing.barrier = true;
    return true;
  }

  // — messages —

  #message(): void {
    const { type } = this.#frames;
    if (type === F.terminate) return this.#ending.finish('client');
    if (this.#refusing.discarding && type !== F.sync) return;
    if (!this.#judging.current && (type === F.parse || type === F.query || type === F.bind || type === F.execute) && this.#refresh()) return;
    switch (type) {
      case F.bind:
        return this.#messages.bind();
      case F.execute:
        return this.#messages.execute();
      case F.sync:
        return this.#sync();
      case F.describe:
        return this.#messages.describe();
      case F.parse:
        return this.#messages.parse();
      case F.query:
        if (this.#controlled.open) return this.#commitFirst();
        return this.#messages.query();
      case F.close:
        return this.#messages.close();
      case F.flush:
        this.#controlled.flush();
        return this.#line.flush();
      case F.functionCall:
        return this.#functionCall();
      case F.copyData:
      case F.copyDone:
      case F.copyFail:
        return; // outside COPY the server drops them too, and COPY FROM is not supported (P13)
      default:
        return this.end('client', refusal('PROTOCOL', `invalid frontend message type ${type}`));
    }
  }

  /** Runs any function by its oid, without a text (P7): refused, and recorded as what it is. */
  #functionCall(): void {
    const { buffer, start, end } = this.#frames;
    if (end - start < 9) return this.end('client', malformed());
    const text = Buffer.from(`FunctionCall ${buffer.readUInt32BE(start + 5)}`);
    const asked = this.#judging.simple({ bytes: text, media: 'text' });
    this.#refusing.simple(receive(asked, this.#scene) ?? refuse(asked, unsupported(PROTOCOL.functionCall), this.#scene));
  }

  #sync(): void {
    const { buffer, start, end } = this.#frames;
    if (end - start !== 5) return this.end('client', malformed());
    if (this.#controlled.open) return this.#endControlled(true);
    if (this.#refusing.ends()) return;
    this.#line.sync(buffer, start, end);
    this.#judging.transaction.segmentEnds();
    // after a refusal the next segment waits until it is known what became of the transaction
    if (this.#refusing.discarding) this.#refusing.barrier = true;
    this.#refusing.discarding = false;
  }

  /** Our transaction ends where the client's segment does. */
  #endControlled(tells: boolean): void {
    const dead = this.#refusing.discarding;
    this.#refusing.discarding = false;
    this.#wait(this.#controlled.end(dead, tells), () => {});
  }

  /** A Query behind an approved execution that no Sync has followed. */
  #commitFirst(): void {
    this.#frames.again();
    this.#endControlled(false);
  }

  #oversized(): void {
    if (this.#refusing.discarding) return;
    const { type } = this.#frames;
    const why = refusal('BUDGET_TEXT', `a message of type ${String.fromCharCode(type)} is longer than the limit`);
    if (type === F.query || type === F.functionCall) this.#refusing.simple(why);
    else this.#refusing.extended(why);
  }

  /** True: settings or catalog are read again first, and the message is taken once more. */
  #refresh(): boolean {
    const refreshed = this.#judging.refresh(this.#line);
    if (refreshed === null) return false;
    this.#frames.again();
    this.#wait(refreshed, () => {});
    return true;
  }

  #host(): MessageHost {
    return {
      frames: this.#frames,
      line: this.#line,
      judging: this.#judging,
      enforce: (asked, next) => this.#enforce(asked, next),
      refuseExtended: (why) => this.#refusing.extended(why),
      refuseSimple: (why) => this.#approving.refuseQuery(why),
      approved: (use, cleared, form, send) => this.#approving.run(use, cleared, form, send),
      broken: (why) => this.end('client', why),
      again: () => {
        this.#frames.again();
        this.#refusing.barrier = true;
      },
      outcomes: this.#outcomes,
    };
  }

  #enforce(asked: Asked, next: (outcome: Outcome) => void): void {
    const outcome = enforce(asked, this.#scene);
    if (!isPromise(outcome)) return next(outcome);
    const late = (came: Outcome): void => void (came.refused || this.#outcomes.withheld(came));
    this.#wait(outcome, (came) => (this.#gaveUp(asked) ? late(came) : next(came)), late);
  }

  /** Its segment failed meanwhile, and the client was told: it is dropped like everything up to Sync. Where a text of ours failed, nobody has told it. */
  #gaveUp({ mode }: Asked): boolean {
    return !this.#controlled.takeUntold() && this.#refusing.discarding && mode === 'extended';
  }

  /** The disk has the intents; the archive, which the target asks for, has not. A journal that is dead ends the session (I6). */
  #undurable(error: unknown): void {
    if (this.#scene.journal.fault !== null) throw error;
    this.#refusing.withdraw(refusalOf(error));
    if (!this.#ending.alive) return this.#ending.now();
    if (this.#refusing.discarding && this.#waiting) this.#holding.end('disconnect');
    this.activity++;
    this.#line.release();
    this.#pump();
  }

  /** Nothing more is read of the client until the promise is settled; `late`: by then the session had ended. */
  #wait<T>(promise: Promise<T>, next: (value: T) => void, late: (value: T) => void = () => {}): void {
    this.#waiting = true;
    promise.then(
      (value) =>
        this.#ending.guard(() => {
          this.#waiting = false;
          if (!this.#ending.alive) return late(value);
          next(value);
          this.#pump();
        }),
      (error: unknown) => this.#ending.fault(error),
    );
  }

  // — answers —

  /** Texts of the target are withheld (M14). */
  get #canned(): boolean {
    return this.#outcomes.masked || this.#parts.decisions.masksPossible;
  }

  #sink(): ReplySink {
    return {
      canned: () => this.#canned,
      finished: (running, outcome) => this.#outcomes.finished(running, outcome),
      ready: (status, segment) => {
        this.#refusing.status = status;
        if (this.#controlled.active) return this.#controlled.ready(status);
        if (status === TRANSACTION.idle) this.#messages.transactionEnded(segment);
        if (this.#line.idle) this.#judging.settle(status);
        this.activity++;
        return status;
      },
      skipping: () => this.#refusing.skips(),
      parameter: (name, value) => (this.#parts.decisions.masksPossible ? (this.#parts.told.get(name) ?? null) : value),
      copyIn: () => {
        this.#target.write(message(F.copyFail, 'COPY FROM is not supported by the gateway'));
        this.#flushTarget();
      },
    };
  }

  // — approvals —

  #holdingHost(): HoldingHost {
    return {
      alive: () => this.#ending.alive,
      say: (bytes) => {
        this.#client.write(bytes);
        this.#flushClient();
      },
      released: () => {
        this.activity++;
      },
    };
  }

  #approvingHost(): ApprovingHost {
    const { scene, surveyor } = this.#parts;
    return {
      control: this.#controlHost(),
      judging: this.#judging,
      surveyor,
      database: scene.database,
      wait: (promise, next) => this.#wait(promise, next),
      refuse: (form, why) => (form === 'query' ? this.#refusing.simple(why) : this.#refusing.extended(why)),
    };
  }

  #controlHost(): ControlHost {
    const { journal, clock } = this.#parts.scene;
    return {
      line: this.#line,
      journal,
      clock,
      outcomes: this.#outcomes,
      divert: (to) => this.#replies.divert(to ?? this.#client),
      toClient: (bytes) => this.#client.write(bytes),
      canned: () => this.#canned,
      alive: () => this.#ending.alive,
      ended: () => {
        this.#messages.transactionEnded(this.#line.segment);
        this.#judging.transaction.segmentEnds();
        this.#judging.settle(TRANSACTION.idle);
        this.activity++;
      },
    };
  }
}
