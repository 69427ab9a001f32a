/** The selections of one operation, fragments expanded, as fields by type, effects, and places in the answer. */
import {
  Kind,
  type DirectiveNode,
  type FieldNode,
  type FragmentDefinitionNode,
  type OperationDefinitionNode,
  type SelectionNode,
  type SelectionSetNode,
} from 'graphql';
import type { GraphqlField, ResponseField } from '#schemas/http-facts';
import type { Effect, Opaque } from '#schemas/sql-facts';
import { GRAPHQL_LIMITS } from './graphql-limits.ts';
import type { GraphqlTypes } from './graphql-types.ts';
import { argumentsOf } from './graphql-values.ts';
import { Trouble } from './trouble.ts';

/** Where selections stand: on which type, and where in the answer. */
interface Place {
  /** `?`: not known. */
  readonly type: string;
  readonly path: string;
  readonly depth: number;
  /** Fragments that are being expanded. */
  readonly open: readonly string[];
  /** How often each field was asked for at this place. */
  readonly asked: Map<string, number>;
}

const ROOTS = { query: 'Query', mutation: 'Mutation', subscription: 'Subscription' } as const;

export class GraphqlWalk {
  readonly #fields: GraphqlField[] = [];
  readonly #effects = new Map<string, Effect>();
  readonly #output = new Map<string, ResponseField>();
  readonly #opaque = new Map<string, Opaque>();
  readonly #operation: OperationDefinitionNode;
  readonly #fragments: ReadonlyMap<string, FragmentDefinitionNode>;
  readonly #variables: Readonly<Record<string, unknown>>;
  readonly #types: GraphqlTypes | null;
  #expanded = 0;
  depth = 0;
  introspection = false;

  constructor(
    operation: OperationDefinitionNode,
    fragments: ReadonlyMap<string, FragmentDefinitionNode>,
    variables: Readonly<Record<string, unknown>>,
    types: GraphqlTypes | null,
  ) {
    this.#operation = operation;
    this.#fragments = fragments;
    this.#variables = variables;
    this.#types = types;
  }

  get fields(): readonly GraphqlField[] {
    return this.#fields;
  }

  get effects(): readonly Effect[] {
    return [...this.#effects.values()];
  }

  get output(): readonly ResponseField[] {
    return [...this.#output.values()];
  }

  get opaque(): readonly Opaque[] {
    return [...this.#opaque.values()];
  }

  /** null: understood. */
  run(): Trouble | null {
    const { operation, selectionSet, directives = [] } = this.#operation;
    const type = this.#types === null ? ROOTS[operation] : this.#types.root(operation);
    if (type === null) return new Trouble('unknown_object', `the schema has no ${operation}`);
    return this.#directives(directives) ?? this.#selections(selectionSet, { type, path: '$.data', depth: 1, open: [], asked: new Map() });
  }

  #selections(set: SelectionSetNode, place: Place): Trouble | null {
    if (place.depth > GRAPHQL_LIMITS.depth) return new Trouble('budget', `selections deeper than ${GRAPHQL_LIMITS.depth}`);
    this.depth = Math.max(this.depth, place.depth);
    for (const selection of set.selections) {
      const trouble = this.#directives(selection.directives ?? []) ?? this.#selection(selection, place);
      if (trouble !== null) return trouble;
    }
    return null;
  }

  #selection(selection: SelectionNode, place: Place): Trouble | null {
    if (++this.#expanded > GRAPHQL_LIMITS.fields) return new Trouble('budget', `more than ${GRAPHQL_LIMITS.fields} fields`);
    switch (selection.kind) {
      case Kind.FIELD:
        return this.#field(selection, place);
      case Kind.INLINE_FRAGMENT:
        return this.#within(selection.typeCondition?.name.value, selection.selectionSet, place);
      case Kind.FRAGMENT_SPREAD: {
        const name = selection.name.value;
        const fragment = this.#fragments.get(name);
        if (fragment === undefined) return new Trouble('syntax', 'a fragment that is not there');
        if (place.open.includes(name)) return new Trouble('syntax', 'a fragment that stands in itself');
        const trouble = this.#directives(fragment.directives ?? []);
        return trouble ?? this.#within(fragment.typeCondition.name.value, fragment.selectionSet, { ...place, open: [...place.open, name] });
      }
    }
  }

  #within(type: string | undefined, set: SelectionSetNode, place: Place): Trouble | null {
    if (type !== undefined && this.#types?.has(type) === false) this.#unknown(`the schema has no type ${type}`);
    return this.#selections(set, type === undefined ? place : { ...place, type });
  }

  #field(node: FieldNode, place: Place): Trouble | null {
    const field = node.name.value;
    if (field === '__typename') return null;
    if (field === '__schema' || field === '__type') this.introspection = true;
    const times = (place.asked.get(field) ?? 0) + 1;
    place.asked.set(field, times);
    if (times > GRAPHQL_LIMITS.aliases) return new Trouble('budget', `one field more than ${GRAPHQL_LIMITS.aliases} times in one selection`);
    const known = this.#types?.field(place.type, field) ?? null;
    const type = this.#typeOf(place.type, field, known !== null);
    const path = `${place.path}.${node.alias?.value ?? field}`;
    const trouble = this.#add(type, field, path, argumentsOf(node, this.#operation, this.#variables));
    if (trouble !== null || node.selectionSet === undefined) return trouble;
    return this.#selections(node.selectionSet, {
      type: known?.yields ?? INTROSPECTED[field] ?? '?',
      path: path + '[*]'.repeat(known?.lists ?? 0),
      depth: place.depth + 1,
      open: place.open,
      asked: new Map(),
    });
  }

  #typeOf(type: string, field: string, known: boolean): string {
    if (this.#types === null || known || field.startsWith('__') || type.startsWith('__')) return type;
    this.#unknown(`the schema has no field ${type}.${field}`);
    return type;
  }

  #add(type: string, field: string, path: string, args: Record<string, unknown>): Trouble | null {
    const owners = this.#types?.owners(type, field) ?? [type];
    for (const owner of owners) {
      this.#fields.push({ type: owner, field, path, arguments: args });
      this.#effect(owner, field, path);
    }
    // without a schema a type may also be an interface of the one that counts; roots are what they are called
    const names = this.#types === null && path.lastIndexOf('.') > ROOT_DOT ? new Set([...owners, '?']) : owners;
    for (const owner of names) this.#output.set(`${owner}.${field} ${path}`, { field: `${owner}.${field}`, path });
    if (this.#output.size > GRAPHQL_LIMITS.namedFields) return new Trouble('budget', `more than ${GRAPHQL_LIMITS.namedFields} fields by type`);
    return null;
  }

  /** A field of a mutation is what is done; all below it, and all of the others, is read. */
  #effect(type: string, field: string, path: string): void {
    const verb = this.#operation.operation === 'mutation' && path.lastIndexOf('.') === ROOT_DOT ? 'execute' : 'read';
    const qualified = `${type}.${field}`;
    const confidence = type === '?' ? 'unknown' : this.#types === null ? 'named' : 'resolved';
    this.#effects.set(`${verb} ${qualified}`, { verb, object: { kind: 'field', name: field, qualified }, statement: 0, via: [], confidence });
  }

  #directives(directives: readonly DirectiveNode[]): Trouble | null {
    for (const { name } of directives) {
      // the answer comes in pieces that stand elsewhere than facts say
      if (name.value === 'defer' || name.value === 'stream') return new Trouble('unsupported', `@${name.value}`);
      if (name.value === 'include' || name.value === 'skip') continue;
      if (this.#types?.knowsDirective(name.value) !== true) this.#unknown(`what @${name.value} does is not known`);
    }
    return null;
  }

  #unknown(detail: string): void {
    if (this.#opaque.size < UNKNOWN_MAX) this.#opaque.set(detail, { code: 'unknown_object', detail });
  }
}

const INTROSPECTED: Readonly<Record<string, string>> = { __schema: '__Schema', __type: '__Type' };
/** Where the last dot of `$.data.x` stands. */
const ROOT_DOT = '$.data'.length;
const UNKNOWN_MAX = 20;
