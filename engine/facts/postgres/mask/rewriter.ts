import type { Catalog } from '#schemas/catalog';
import type { Mask } from '#schemas/decision';
import { type Fields, isParserMajor, type ParseTree, Parser } from '../parser.ts';
import { mayParseInline } from '../prescan.ts';
import { MaskBindings } from './binding.ts';
import { BoundedTrees, type TreeBounds } from './bounded-trees.ts';
import { compareTrees } from './compare.ts';
import { tokenize } from './lexer.ts';
import { type MaskedRelation, MaskPlan } from './plan.ts';
import { Refusal, REFUSALS } from './refusal.ts';
import { type Names, parsePath } from './resolve.ts';
import { type Edit, editFor, Places, splice } from './splice.ts';
import { changesNames, sitesOf } from './statement.ts';
import { isFields } from './tree.ts';
import type { Site } from './walk.ts';

/** As in engine/decide/ports.ts: everything beside the text that decides how it is read. */
export interface ReadContext {
  readonly major: number;
  readonly database: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly catalog: Catalog | null;
}

export interface MaskRewrite {
  readonly text: Uint8Array;
  readonly masked: readonly string[];
  readonly toOriginal: (offset: number) => number | null;
}

export type RewriteAnswer =
  | { readonly ok: true; readonly rewrite: MaskRewrite }
  | { readonly ok: false; readonly code: 'MASK_IMPOSSIBLE' | 'MASK_RELATION_UNKNOWN'; readonly reason: string; readonly hint: string };

/** The grammar of one server major; throws an Error when there is no tree. `Parser` of ../parser.ts is one. */
export interface TreeParser {
  readonly major: number;
  /** False: it would not find an instance just now. */
  readonly available: boolean;
  /** Nobody changes the tree: it may be another reader's too. */
  parse(text: string | Uint8Array): ParseTree;
}

export interface RewriterLimits {
  /** Answers kept, texts and their keys counted. */
  readonly cacheBytesMax: number;
  /** Longest rewritten text: one reference can grow by the width of its table. */
  readonly textBytesMax: number;
  readonly worker: Partial<TreeBounds>;
}

const LIMITS: RewriterLimits = { cacheBytesMax: 16 * 1024 * 1024, textBytesMax: 8 * 1024 * 1024, worker: {} };

/** How many sets of masks are kept worked out on a catalog. */
const PLANS_MAX = 64;

/**
 * Leaf substitution (DESIGN §7.1): each reference in FROM to a relation with masked columns gives way to a sub-select that yields the masks,
 * by splicing the client's own bytes; the result is parsed again and compared node by node. Any doubt is a refusal.
 */
export class PostgresMaskRewriter {
  readonly #parsers: ReadonlyMap<number, TreeParser>;
  readonly #trees: BoundedTrees;
  readonly #limits: RewriterLimits;
  readonly #bindings = new MaskBindings();
  readonly #digests = new WeakMap<ReadonlyMap<string, Mask>, string>();
  readonly #plans = new Map<string, { readonly catalog: Catalog; readonly plan: MaskPlan }>();
  readonly #answers = new Map<string, RewriteAnswer>();
  #answerBytes = 0;

  /** One parser for each server major that is served. */
  constructor(parsers: Iterable<TreeParser>, limits: Partial<RewriterLimits> = {}) {
    this.#parsers = new Map([...parsers].map((parser) => [parser.major, parser]));
    this.#limits = { ...LIMITS, ...limits };
    this.#trees = new BoundedTrees([...this.#parsers.keys()], this.#limits.worker);
  }

  /** With parsers of its own. */
  static async open(majors: readonly number[], limits: Partial<RewriterLimits> = {}): Promise<PostgresMaskRewriter> {
    return new PostgresMaskRewriter(await Promise.all(majors.filter(isParserMajor).map((major) => Parser.open(major))), limits);
  }

  /**
   * The text with its masks, or why not: a value when it is short, a promise when a worker parses it. Never throws for what the text is. A text
   * that touches no relation with masked columns comes back as it is, with `masked` empty.
   */
  rewrite(text: Uint8Array, masks: ReadonlyMap<string, Mask>, context: ReadContext): RewriteAnswer | Promise<RewriteAnswer> {
    if (masks.size === 0) return unchanged(text);
    if (context.catalog === null) return refused(REFUSALS.noCatalog());
    const beside = [
      context.major,
      this.#digest(masks),
      context.database,
      context.catalog.cluster,
      context.catalog.fingerprint,
      ...NAME_SETTINGS.map((name) => context.settings[name]),
    ];
    const key = `${JSON.stringify(beside)}\n${Buffer.from(text.buffer, text.byteOffset, text.length).toString('latin1')}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const answer = this.#answer(text, masks, context, context.catalog);
    if (!(answer instanceof Promise)) return this.#keep(key, answer);
    return answer.then((done) => this.#keep(key, done));
  }

  /** Whether the text reads a relation with masked columns, or is refused because it might. */
  async touches(text: Uint8Array, masks: ReadonlyMap<string, Mask>, context: ReadContext): Promise<boolean> {
    const answer = await this.rewrite(text, masks, context);
    return !answer.ok || answer.rewrite.masked.length > 0;
  }

  close(): Promise<void> {
    return this.#trees.close();
  }

  #answer(text: Uint8Array, masks: ReadonlyMap<string, Mask>, context: ReadContext, catalog: Catalog): RewriteAnswer | Promise<RewriteAnswer> {
    const parser = this.#parsers.get(context.major);
    if (parser === undefined) return refused(REFUSALS.unreadable(`no grammar for PostgreSQL ${context.major}`));
    try {
      const plan = this.#plan(masks, catalog);
      if (mayParseInline(text) && parser.available) return answered(inline(this.#rewritten(text, plan, context, parser), parser));
      // the caller may reuse its buffer meanwhile
      const copy = Uint8Array.from(text);
      return elsewhere(this.#rewritten(copy, plan, context, parser), (one) => this.#trees.parse(parser.major, one)).then(answered, refusedFor);
    } catch (error) {
      return refusedFor(error);
    }
  }

  /** Yields what is to be parsed, and gets its tree. */
  *#rewritten(text: Uint8Array, plan: MaskPlan, context: ReadContext, parser: TreeParser): Steps {
    const tree = yield text;
    const sites = allSites(tree, plan, context);
    if (sites.length === 0) return same(text);
    const edits = this.#edits(text, sites, plan);
    const places = new Places(edits);
    const rewritten = splice(text, edits);
    compareTrees(tree, yield rewritten, sites, places, ({ masked, range }) => {
      const template = plan.template(masked, range.inh !== true);
      const found = plan.trees.get(template) ?? (parser.parse(template).stmts[0]?.stmt as Fields);
      plan.trees.set(template, found);
      return found;
    });
    return { text: rewritten, masked: namesOf(sites.map(({ masked }) => masked)), toOriginal: (offset) => places.toOriginal(offset) };
  }

  /** One edit for each place: the grammar repeats the sub-query of `SET (a, b) = (SELECT …)` in its tree, not in the text. */
  #edits(text: Uint8Array, sites: readonly Site[], plan: MaskPlan): readonly Edit[] {
    const tokens = tokenize(text);
    const edits = new Map<number, Edit>();
    let bytes = text.length;
    for (const { range, masked, star } of sites) {
      const at = range.location ?? 0;
      if (edits.has(at)) continue;
      const edit = editFor(text, tokens, range, star !== null, plan.template(masked, range.inh !== true));
      edits.set(at, edit);
      bytes += edit.text.length;
      if (bytes > this.#limits.textBytesMax) throw REFUSALS.tooLong(this.#limits.textBytesMax);
    }
    return [...edits.values()].toSorted((a, b) => a.start - b.start);
  }

  #plan(masks: ReadonlyMap<string, Mask>, catalog: Catalog): MaskPlan {
    const key = `${this.#digest(masks)} ${catalog.cluster ?? ''} ${catalog.fingerprint}`;
    const known = this.#plans.get(key);
    if (known?.catalog === catalog) return known.plan;
    const plan = new MaskPlan(masks, catalog, this.#bindings);
    this.#plans.delete(key);
    this.#plans.set(key, { catalog, plan });
    for (const oldest of this.#plans.keys()) {
      if (this.#plans.size <= PLANS_MAX) break;
      this.#plans.delete(oldest);
    }
    return plan;
  }

  #digest(masks: ReadonlyMap<string, Mask>): string {
    let digest = this.#digests.get(masks);
    if (digest === undefined) {
      digest = JSON.stringify(
        [...masks].map(([name, mask]) => [name, mask.using, mask.keep ?? null]).toSorted(([a], [b]) => (String(a) < String(b) ? -1 : 1)),
      );
      this.#digests.set(masks, digest);
    }
    return digest;
  }

  /** What touches no masked column is known of the statement already; here it would only keep every text that comes by. */
  #keep(key: string, answer: RewriteAnswer): RewriteAnswer {
    if (answer.ok && answer.rewrite.masked.length === 0) return answer;
    const bytes = weight(key, answer);
    if (bytes > this.#limits.cacheBytesMax / 8 || this.#answers.has(key)) return answer;
    this.#answers.set(key, answer);
    this.#answerBytes += bytes;
    for (const [oldest, dropped] of this.#answers) {
      if (this.#answerBytes <= this.#limits.cacheBytesMax) break;
      this.#answers.delete(oldest);
      this.#answerBytes -= weight(oldest, dropped);
    }
    return answer;
  }
}

type Steps = Generator<Uint8Array, MaskRewrite, ParseTree>;

function inline(steps: Steps, parser: TreeParser): MaskRewrite {
  let step = steps.next();
  while (!step.done) step = steps.next(readable(() => parser.parse(step.value as Uint8Array)));
  return step.value;
}

async function elsewhere(steps: Steps, parse: (text: Uint8Array) => Promise<ParseTree>): Promise<MaskRewrite> {
  let step = steps.next();
  while (!step.done) {
    const tree = await parse(step.value).catch((error: unknown) => readable(() => raise(error)));
    step = steps.next(tree);
  }
  return step.value;
}

function readable<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw REFUSALS.unreadable(error instanceof Error ? error.message : 'the parser failed');
  }
}

function raise(error: unknown): never {
  throw error;
}

function answered(rewrite: MaskRewrite): RewriteAnswer {
  return { ok: true, rewrite };
}

/** A tree too deep for the stack, or anything else that went wrong: no reason to let a text through. */
function refusedFor(error: unknown): RewriteAnswer {
  if (error instanceof Refusal) return refused(error);
  return refused(error instanceof RangeError ? REFUSALS.tooDeep() : REFUSALS.unreadable('it could not be worked out how to mask it'));
}

function allSites(tree: ParseTree, plan: MaskPlan, context: ReadContext): readonly Site[] {
  const path = parsePath(context.settings['search_path']);
  const names: Names = { database: context.database, path, role: currentUser(context.settings) };
  // what the text itself changes counts for its own later statements
  const changed = tree.stmts.length > 1 && tree.stmts.some(({ stmt }) => changesNames(stmt));
  return tree.stmts.flatMap(({ stmt }) => (isFields(stmt) ? sitesOf(stmt, plan, changed ? { ...names, path: null } : names) : []));
}

/** What decides where an unqualified name is looked up. */
const NAME_SETTINGS = ['search_path', 'role', 'session_authorization'] as const;

function currentUser(settings: Readonly<Record<string, string>>): string | null {
  return (settings['role'] === 'none' ? settings['session_authorization'] : settings['role']) ?? null;
}

function namesOf(relations: readonly MaskedRelation[]): readonly string[] {
  const names = new Set(relations.flatMap(({ keys }) => [...keys.values()]));
  return [...names].toSorted();
}

function same(text: Uint8Array): MaskRewrite {
  return { text, masked: [], toOriginal: (offset) => offset };
}

function unchanged(text: Uint8Array): RewriteAnswer {
  return { ok: true, rewrite: same(text) };
}

function refused({ code, message, hint }: Refusal): RewriteAnswer {
  return { ok: false, code, reason: message, hint };
}

const ENTRY_BYTES = 200;

function weight(key: string, answer: RewriteAnswer): number {
  return key.length + (answer.ok ? answer.rewrite.text.length : answer.reason.length + answer.hint.length) + ENTRY_BYTES;
}
