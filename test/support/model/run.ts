/** Runs steps against a real book, several at once in the order that fast-check's scheduler chooses, and has every use judged. */
import type { Scheduler } from 'fast-check';
import type { ApprovalDraft } from '#client/approvals';
import type { Position, DurablePosition } from '#client/journal';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { type ApprovalBook, type FollowedLog, openApprovals, openSharedLog } from '#engine/approvals/approvals';
import type { ApprovalOptions } from '#engine/approvals/parts';
import { sqlOf } from '#schemas/facts';
import type { Requirement } from '#schemas/decision';
import type { SqlFacts } from '#schemas/sql-facts';
import { draft, HOUR_MS } from '../approvals.ts';
import { FakeClock } from '../fake-clock.ts';
import { MemoryDisk, MemoryJournal } from '../memory-journal.ts';
import type { Connection, MemoryStream, Weather } from '../memory-stream.ts';
import { ORDER_KEY } from '../shared-books.ts';
import { type Known, objections, SHAPES, type Statement, type Yes } from './judge.ts';
import { accountOf, humanOf, People, REQUESTERS, REQUIREMENTS } from './people.ts';
import type { Round, Step, Twist } from './steps.ts';

/** A part that a test of this test breaks on purpose. */
export interface Broken {
  readonly options?: (options: ApprovalOptions) => ApprovalOptions;
  readonly book?: (book: ApprovalBook, drafts: (approvalId: string) => ApprovalDraft) => ApprovalBook;
}

export class Violation extends Error {}

export class ModelRun {
  readonly known = new Map<string, Known>();
  /** Of several engines that told the same at the end. */
  agreements = 0;
  readonly #order: string[] = [];
  readonly #people = new People();
  readonly #clock = new FakeClock();
  readonly #scheduler: Scheduler;
  readonly #broken: Broken;
  readonly #seats: readonly Seat[];
  #steps = 0;
  #glass: string | null = null;

  /** @param sharing several engines on one stream; absent: one on its own journal */
  constructor(scheduler: Scheduler, broken: Broken = {}, sharing: Sharing | null = null) {
    this.#scheduler = scheduler;
    this.#broken = broken;
    const names = sharing ? Array.from({ length: sharing.engines }, (_, i) => `engine-${i}`) : ['engine'];
    this.#seats = names.map((name) => new Seat(name, { scheduler, clock: this.#clock, sharing }));
  }

  async run(rounds: readonly Round[]): Promise<void> {
    try {
      for (const seat of this.#seats) await this.#open(seat);
      for (const round of rounds) await this.#round(round);
      if (this.#seats.length > 1) await this.#agree();
    } finally {
      await this.#scheduler.waitFor(Promise.all(this.#seats.map((seat) => seat.close())));
    }
  }

  /** Once all have seen all, all tell the same of everything. */
  async #agree(): Promise<void> {
    const seen = this.#seats.map(async ({ ordered }) => await ordered?.catchUp());
    const outcomes = await this.#scheduler.waitFor(Promise.allSettled(seen));
    if (outcomes.some(({ status }) => status === 'rejected')) return; // cut off just then
    for (const id of this.known.keys()) {
      const stories = this.#seats.map(({ book }) => JSON.stringify(book?.story(id).filter(({ type }) => type !== 'executed')));
      if (new Set(stories).size > 1) throw new Violation(`${id}: engines tell different stories: ${stories.join(' and ')}`);
    }
    this.agreements++;
  }

  /** Each step through another engine. */
  get #book(): ApprovalBook {
    return (this.#seats[this.#steps % this.#seats.length] as Seat).book as ApprovalBook;
  }

  get uses(): number {
    return [...this.known.values()].reduce((sum, { receipts }) => sum + receipts.size, 0);
  }

  async #open(seat: Seat): Promise<void> {
    const options: ApprovalOptions = {
      ...seat.begin(),
      clock: this.#clock,
      ids: new Ids(this.#clock),
      log: silentLog,
      expireMs: 24 * HOUR_MS,
      rememberDenialMs: 60_000,
      publicUrl: 'https://interlock.example.com',
      worlds: { prepare: () => this.#scheduler.schedule(Promise.resolve(), 'sources'), of: () => this.#people.world() },
      data: { data: () => this.#people.data() },
      codeParams: () => new Set(),
    };
    const book = await this.#scheduler.waitFor(openApprovals(this.#broken.options?.(options) ?? options));
    seat.book = this.#broken.book?.(book, (id) => draftOf(this.#known(id).statement)) ?? book;
  }

  async #round(round: Round): Promise<void> {
    switch (round.do) {
      case 'pass':
        this.#clock.pass(round.seconds * 1_000);
        return void (await this.#scheduler.waitFor(Promise.all(this.#seats.map(async ({ book }) => await book?.sweep()))));
      case 'set':
        for (const one of this.known.values()) one.clockSet = true;
        return this.#clock.set(round.seconds * 1_000);
      case 'move':
        return this.#people.move(round.account);
      case 'delegate':
        return this.#people.delegate(round.from, round.to);
      case 'call':
        return this.#people.call(round.account);
      case 'freeze':
        this.#people.frozen = !this.#people.frozen;
        return;
      case 'steps':
        await this.#scheduler.waitFor(Promise.all(round.steps.map((step) => this.#tried(step))));
        return;
      case 'restart':
        return this.#restart(round.crash);
    }
  }

  /** A crash leaves steps half done: what was not durable is gone, and whoever waited hears nothing good. */
  async #restart(crash: readonly Step[]): Promise<void> {
    const half = crash.map((step) => this.#tried(step));
    if (crash.length > 0) await this.#scheduler.waitNext(Math.min(crash.length, this.#scheduler.count()));
    const seat = this.#seats[this.#steps % this.#seats.length] as Seat;
    const gone = seat.crash();
    await this.#scheduler.waitFor(Promise.all([gone, ...half]));
    for (const one of this.known.values()) one.uncertain ||= one.clockSet;
    await this.#open(seat);
  }

  async #tried(step: Step): Promise<void> {
    try {
      await this.#try(step, ++this.#steps);
    } catch (error) {
      onlyRefusals(error);
    }
  }

  async #try(step: Step, began: number): Promise<void> {
    const book = this.#book;
    const by = (account: number) => this.#people.principal(account, this.#clock);
    switch (step.do) {
      case 'request':
        return void (await this.#request(step.statement));
      case 'carry':
        return this.#carry(step);
      case 'verdict':
        return this.#verdict(this.#one(step.which), step);
      case 'consume':
        return this.#consume(this.#one(step.which), step, began);
      case 'withdraw': {
        const id = this.#one(step.which);
        await book.withdraw(id, { by: by(step.account) });
        return this.#end(id, 'withdrawn');
      }
      case 'cancel': {
        const id = this.#one(step.which);
        await book.cancel(id, REQUESTERS[this.#known(id).statement.who]?.id ?? '');
        return this.#end(id, 'cancelled');
      }
      case 'supersede': {
        const id = this.#one(step.which);
        await book.supersede(id, 'another revision');
        return this.#end(id, 'superseded');
      }
      case 'glass':
        return this.#breakGlass(this.#one(step.which));
      case 'review': {
        await book.review(this.#glass ?? 'apr_none', { by: by(step.account), outcome: 'justified', comment: 'looked at' });
        if (accountOf(step.account).human === 'alice') throw new Violation('alice reviewed her own broken glass');
        this.#glass = null;
      }
    }
  }

  async #carry({ statement, accounts, nonce }: Extract<Step, { do: 'carry' }>): Promise<void> {
    const id = await this.#request(statement);
    for (const account of accounts) await this.#verdict(id, { do: 'verdict', which: 0, account, outcome: 'approve' }).catch(onlyRefusals);
    await this.#consume(id, { do: 'consume', which: 0, twist: null, nonce }, ++this.#steps);
  }

  async #request(statement: Statement): Promise<string> {
    const requestedMs = this.#clock.monotonicUs() / 1_000;
    const { approvalId } = await this.#book.request(draftOf(statement));
    if (this.known.has(approvalId)) return approvalId;
    const empty = { yes: new Set<Yes>(), receipts: new Set<string>(), nonces: new Set<number>() };
    this.known.set(approvalId, { statement, requestedMs, ...empty, ended: null, glass: new Set(), uncertain: false, clockSet: false });
    this.#order.push(approvalId);
    return approvalId;
  }

  async #verdict(id: string, { account, outcome }: Extract<Step, { do: 'verdict' }>): Promise<void> {
    const known = this.#known(id);
    const reviewer = this.#people.principal(account, this.#clock);
    const { login, groups } = reviewer.subject.properties;
    const yes: Yes = { login, groups, monotonicMs: this.#clock.monotonicUs() / 1_000 };
    if (outcome === 'approve') known.yes.add(yes);
    try {
      const view = await this.#book.verdict(id, { reviewer, outcome, comment: 'because' });
      if (humanOf(login) === null) throw new Violation(`${login} is nobody's own account, and decided`);
      if (view.state === 'denied' || view.state === 'changes_requested') this.#end(id, view.state);
    } catch (error) {
      // what failed for another reason than a refusal may have been written
      if (!isUnknown(error)) known.yes.delete(yes);
      throw error;
    }
  }

  async #consume(id: string, step: Extract<Step, { do: 'consume' }>, began: number): Promise<void> {
    const known = this.#known(id);
    const used = twisted(known.statement, step.twist);
    const first = !known.nonces.has(step.nonce);
    known.nonces.add(step.nonce);
    const d = { ...draftOf(used), statementId: `stm_${step.nonce}` };
    const { receipt } = await this.#book.consume(id, {
      statementId: d.statementId,
      enforcer: 'shop',
      nonce: `non_${step.nonce}`,
      draft: d,
    });
    known.receipts.add(receipt);
    const [objection] = objections(known, used, { people: this.#people, monotonicMs: this.#clock.monotonicUs() / 1_000, began }, first);
    if (objection !== undefined) throw new Violation(`${id}: ${objection}`);
  }

  async #breakGlass(id: string): Promise<void> {
    const known = this.#known(id);
    const broken = { monotonicMs: this.#clock.monotonicUs() / 1_000 };
    known.glass.add(broken);
    try {
      await this.#book.breakGlass(id, { by: this.#people.principal(0, this.#clock), reason: 'an emergency' });
    } catch (error) {
      if (!isUnknown(error)) known.glass.delete(broken);
      throw error;
    }
    if (known.statement.who !== 0) throw new Violation('a broken glass for somebody else');
    if (this.#glass !== null) throw new Violation('a second glass broken before the first was reviewed');
    this.#glass = id;
  }

  #end(id: string, how: string): void {
    this.#known(id).ended ??= { step: ++this.#steps, how };
  }

  /** Mostly the last ones. */
  #one(which: number): string {
    return this.#order.at(-1 - (which % (this.#order.length || 1))) ?? 'apr_none';
  }

  #known(id: string): Known {
    const known = this.known.get(id);
    if (!known) throw Object.assign(new Error('nothing was asked yet'), { code: 'NONE' });
    return known;
  }
}

/** Several engines on one stream, with the weather that it has. */
export interface Sharing {
  readonly engines: number;
  readonly stream: MemoryStream;
  readonly weather: Weather;
}

interface SeatFrom {
  readonly scheduler: Scheduler;
  readonly clock: FakeClock;
  readonly sharing: Sharing | null;
}

/** One engine: its disk outlives its processes. */
class Seat {
  readonly #name: string;
  readonly #from: SeatFrom;
  readonly #disk = new MemoryDisk();
  #journal: ScheduledJournal | null = null;
  #connection: Connection | null = null;
  ordered: FollowedLog | null = null;
  book: ApprovalBook | null = null;

  constructor(name: string, from: SeatFrom) {
    this.#name = name;
    this.#from = from;
  }

  begin(): Pick<ApprovalOptions, 'journal' | 'ordered'> {
    const { clock, scheduler, sharing } = this.#from;
    const journal = (this.#journal = new ScheduledJournal(clock, this.#disk, scheduler));
    if (!sharing) return { journal };
    const stream = (this.#connection = sharing.stream.connection(sharing.weather));
    const limits = { retryMs: 0, commitMs: 1_000, presenceMs: 1_000_000, cutOffMs: 1_000 };
    this.ordered = openSharedLog({ stream, journal, clock, log: silentLog, engine: this.#name, limits, key: ORDER_KEY });
    return { journal, ordered: this.ordered };
  }

  /** What was not durable is lost, and nothing is sent any more. */
  async crash(): Promise<void> {
    this.#journal?.fail(new Error('crash'));
    this.#connection?.end();
    this.book?.close();
    await this.ordered?.close();
  }

  async close(): Promise<void> {
    this.#connection?.end();
    this.book?.close();
    await this.ordered?.close();
  }
}

/** The scheduler says when the disk is done, and in which order those who wait for it go on. */
class ScheduledJournal extends MemoryJournal {
  readonly #scheduler: Scheduler;

  constructor(clock: FakeClock, disk: MemoryDisk, scheduler: Scheduler) {
    super(clock, disk);
    this.#scheduler = scheduler;
  }

  override async durable(position: Position): Promise<DurablePosition> {
    await this.#scheduler.schedule(Promise.resolve(), `disk ${position}`);
    const durable = await super.durable(position);
    await this.#scheduler.schedule(Promise.resolve(), `durable ${position}`);
    return durable;
  }
}

/** The nearest other one: what a check that is missing would let through. */
function twisted(statement: Statement, twist: Twist): Statement {
  if (twist === null) return statement;
  const many = { text: SHAPES.length, who: REQUESTERS.length, requirement: REQUIREMENTS.length, session: 2 }[twist];
  return { ...statement, [twist]: (statement[twist] + 1) % many };
}

/** A refusal is an answer; a violation is not. */
function onlyRefusals(error: unknown): void {
  if (!(error instanceof Error && 'code' in error)) throw error;
}

function isUnknown(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'APPROVAL_UNAVAILABLE' || error.code === 'DRAINING');
}

function draftOf({ text, who, requirement, session }: Statement): ApprovalDraft {
  const d = draft({
    text: `DELETE FROM t WHERE id = ${text}`,
    params: null,
    subject: REQUESTERS[who] as ApprovalDraft['subject'],
    requirement: REQUIREMENTS[requirement] as Requirement,
    sessionId: `ses_${session}`,
  });
  return { ...d, facts: { ...sqlOf(d.facts), statements: [{ ...STATEMENT, shape: `sha256:${(SHAPES[text] ?? '').repeat(64)}` }] } };
}

const STATEMENT: SqlFacts['statements'][number] = {
  index: 0,
  parent: null,
  kind: 'delete',
  class: 'write',
  span: { start: 0, end: 1 },
  shape: '',
  where: 'bound',
  limit: 'none',
  locking: false,
  columns: [],
  output: [],
  functions: [],
  explain: 'no',
};
