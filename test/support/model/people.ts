/** The people of the approvals' model: accounts, the humans behind them, and what may change about them while requests are open. */
import type { Principal } from '#client/identity';
import type { World } from '#engine/approvals/world';
import type { Requirement, Stage } from '#schemas/decision';
import type { Subject } from '#schemas/decision-request';
import { requirement, reviewer, stage, subject } from '../approvals.ts';
import type { FakeClock } from '../fake-clock.ts';

export interface Account {
  readonly login: string;
  /** At the beginning. */
  readonly groups: readonly string[];
  /** Who it is; null: nobody's own. */
  readonly human: string | null;
  readonly more?: Partial<Subject>;
}

export const ACCOUNTS: readonly Account[] = [
  { login: 'alice', groups: ['owners', 'security'], human: 'alice' },
  { login: 'carol', groups: ['owners', 'security'], human: 'carol' },
  { login: 'Carol', groups: ['owners', 'security'], human: 'carol', more: { id: 'https://other.example.com|1' } },
  { login: 'dave', groups: ['owners'], human: 'dave' },
  // linked by the directory
  { login: 'adm-dave', groups: ['security', 'owners'], human: 'dave' },
  { login: 'erin', groups: ['security', 'owners'], human: 'erin' },
  { login: 'frank', groups: ['managers'], human: 'frank' },
  { login: 'gina', groups: [], human: 'gina' },
  { login: 'mallory', groups: ['support'], human: 'mallory' },
  { login: 'batch', groups: ['owners', 'security', 'managers'], human: null, more: { type: 'service' } },
];
/** Who asks: alice herself, and an agent of carol's. */
export const REQUESTERS: readonly Subject[] = [
  subject('alice', ['owners', 'security']),
  subject('robot', ['owners'], { type: 'agent', owner: 'carol' }),
];
export const FORBIDDEN: readonly (readonly string[])[] = [['alice'], ['carol', 'robot']];

const digest = (of: number): string => `sha256:${String(of).repeat(64)}`;
const timed: Stage = { ...stage('owners', 'owners'), escalate: [{ after_s: 300, add: [{ group: 'managers' }] }], deny_after_s: 2_000 };

export const REQUIREMENTS: readonly Requirement[] = [
  requirement(),
  requirement({
    stages: [stage('one', 'owners', 2, 1), stage('two', 'security', 1, 2)],
    grant: { of: 'statement', uses: 2 },
    digest: digest(2),
  }),
  requirement({ stages: [timed], grant: { of: 'statement', uses: null }, digest: digest(3) }),
  requirement({ grant: { of: 'shape', uses: 2 }, bind_session: true, digest: digest(4) }),
  requirement({ stages: [{ id: 'call', order: 0, any_of: [{ ref: 'oncall:shop' }], quorum: 1 }], expires_in_s: 900, digest: digest(5) }),
  requirement({ stages: [{ ...stage('owners', 'owners', 2), deny_quorum: 2 }], digest: digest(6) }),
];

/** What changes between rounds, and only there: what is asked at the same time sees one world. */
export class People {
  readonly groups: Map<string, readonly string[]> = new Map(ACCOUNTS.map(({ login, groups }) => [login, groups]));
  readonly delegations: Set<string> = new Set();
  /** null: the calendar does not answer. */
  onCall: string | null = 'erin';
  frozen = false;

  /** Loses its groups, or has them again. */
  move(account: number): void {
    const { login, groups } = accountOf(account);
    this.groups.set(login, this.groups.get(login)?.length === 0 ? groups : []);
  }

  delegate(from: number, to: number): void {
    const key = `${accountOf(from).login} ${accountOf(to).login}`;
    if (!this.delegations.delete(key)) this.delegations.add(key);
  }

  call(account: number | null): void {
    this.onCall = account === null ? null : accountOf(account).login;
  }

  data(): Record<string, unknown> {
    const freeze = { id: 'now', from: '2000-01-01T00:00:00Z', to: '2100-01-01T00:00:00Z', reason: 'frozen' };
    const glass = { id: 'all', groups: ['owners'], valid_for_s: 120, review: { any_of: [{ group: 'security' }] } };
    return this.frozen ? { freezes: [freeze], break_glass: [glass] } : { break_glass: [glass] };
  }

  world(): World {
    return {
      groupsOf: ({ properties }) => properties.groups.filter((group) => this.#now(properties.login).includes(group)),
      resolve: (ref) => (ref !== 'oncall:shop' || this.onCall === null ? null : [{ user: this.onCall }]),
      delegations: [...this.delegations].map((key) => {
        const [from = '', to = ''] = key.split(' ');
        return { delegationId: `del ${key}`, from: subjectOf(from), to };
      }),
      personsOf: ({ login }) => (login.endsWith('dave') ? ['person dave'] : []),
    };
  }

  principal(account: number, clock: FakeClock): Principal {
    const { login } = accountOf(account);
    const who = subjectOf(login);
    const now = { ...who, properties: { ...who.properties, groups: [...this.#now(login)] } };
    return reviewer(login, [], clock, { subject: now });
  }

  /** Those of programs and requesters do not change. */
  #now(login: string): readonly string[] {
    return this.groups.get(login) ?? ['owners', 'security'];
  }
}

export function accountOf(which: number): Account {
  return ACCOUNTS[which % ACCOUNTS.length] as Account;
}

export function humanOf(login: string): string | null {
  return ACCOUNTS.find((one) => one.login === login)?.human ?? null;
}

function subjectOf(login: string): Subject {
  const { groups, more } = ACCOUNTS.find((one) => one.login === login) as Account;
  return subject(login, groups, more);
}
