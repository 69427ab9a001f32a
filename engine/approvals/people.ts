/** Accounts of one human, as `data.directory.people` links them: the same human with two accounts counts once (SECURITY A4). */
import type { Directory } from '#schemas/directory';
import { foldedLogin } from './chain.ts';

export interface Account {
  readonly id: string;
  readonly login: string;
}

/** Two entries that share an account are one human. */
export class People {
  readonly #parent = new Map<string, string>();
  readonly #byId = new Map<string, readonly Entry[]>();
  /** Entries that hold an account, by login and by subject as they are spelt. */
  readonly #holding = new Map<string, readonly string[]>();

  constructor(entries: Directory['people'] = []) {
    for (const entry of entries) {
      const { id, logins = [], subjects = [] } = entry;
      this.#byId.set(id, [...(this.#byId.get(id) ?? []), entry]);
      for (const account of [...logins.map((login) => `login ${login}`), ...subjects.map(idMark)]) {
        this.#holding.set(account, [...(this.#holding.get(account) ?? []), id]);
      }
      for (const mark of [...logins.map(loginMark), ...subjects.map(idMark)]) this.#join(`person ${id}`, mark);
    }
  }

  /** What all accounts of this human share; none where nothing links it. The same function for the same links: what is worked out with it may be kept. */
  readonly marksOf = ({ id, login }: Account): readonly string[] => {
    const marks = [idMark(id), loginMark(login)].filter((mark) => this.#parent.has(mark));
    return [...new Set(marks.map((mark) => `person of ${this.#root(mark)}`))];
  };

  /** Names under which the directory may know this account: its login, its subject, and the ids of the entries that hold it. */
  namesOf({ id, login }: Account): readonly string[] {
    return [login, id, ...(this.#holding.get(`login ${login}`) ?? []), ...(this.#holding.get(idMark(id)) ?? [])];
  }

  /** A name of the directory as logins and subjects: itself, if it is no id of an entry. */
  accountsOf(name: string): readonly string[] {
    const entries = this.#byId.get(name);
    return entries ? entries.flatMap(({ logins = [], subjects = [] }) => [...logins, ...subjects]) : [name];
  }

  #join(a: string, b: string): void {
    const [rootA, rootB] = [this.#root(a), this.#root(b)];
    if (rootA !== rootB) this.#parent.set(rootB, rootA);
  }

  #root(mark: string): string {
    let root = mark;
    for (let next = this.#parent.get(root); next !== undefined && next !== root; next = this.#parent.get(root)) root = next;
    this.#parent.set(mark, root);
    return root;
  }
}

type Entry = NonNullable<Directory['people']>[number];

function idMark(id: string): string {
  return `id ${id}`;
}

function loginMark(login: string): string {
  return `login ${foldedLogin(login)}`;
}
