/** Named fields of an answer and where they stand in it, from the schemas of an API's description: `Customer.ssn` → `$.items[*].ssn`. */
import type { ResponseField } from '#schemas/http-facts';
import { HTTP_FACTS_LIMITS } from './limits.ts';

/** As a description has it; nothing of it is trusted. */
export type Json = Readonly<Record<string, unknown>>;

export interface AnswerFields {
  readonly fields: readonly ResponseField[];
  /** false: they are more than are kept, or what they are cannot be told from the description. */
  readonly complete: boolean;
}

/** What a `$ref` refers to, with the name it has; null: nothing here. */
export type Resolve = (ref: string) => { readonly name: string; readonly schema: Json } | null;

/** Of the schemas of all answers of one operation; `anonymous` names what has no name of its own. */
export function answerFields(schemas: readonly Json[], anonymous: string, resolve: Resolve): AnswerFields {
  const walk = new Walk(resolve);
  for (const schema of schemas) walk.schema(schema, { path: '$', anywhere: false, names: [anonymous], anonymous: true, open: new Map(), depth: 0 });
  return { fields: walk.fields, complete: walk.complete };
}

interface Place {
  readonly path: string;
  /** At any depth below the path. */
  readonly anywhere: boolean;
  /** Of the schemas that this is: by `allOf` several. */
  readonly names: readonly string[];
  /** The names are those of where it stands, not its own. */
  readonly anonymous: boolean;
  /** References that are followed above; `anywhere`: what stands below is described at every depth already. */
  readonly open: ReadonlyMap<string, 'once' | 'anywhere'>;
  readonly depth: number;
}

class Walk {
  readonly #resolve: Resolve;
  readonly #fields = new Map<string, ResponseField>();
  #steps = 0;
  complete = true;

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
  }

  get fields(): readonly ResponseField[] {
    return [...this.#fields.values()];
  }

  schema(schema: Json, place: Place): void {
    if (++this.#steps > HTTP_FACTS_LIMITS.schemaSteps || place.depth > HTTP_FACTS_LIMITS.outputDepth) return this.#cut();
    if (typeof schema['$ref'] === 'string') this.#reference(schema['$ref'], place);
    if (schema['$dynamicRef'] !== undefined) this.#cut();
    for (const key of ['allOf', 'oneOf', 'anyOf']) for (const part of objects(schema[key])) this.schema(part, deeper(place));
    for (const key of ['then', 'else']) if (isObject(schema[key])) this.schema(schema[key], deeper(place));
    for (const part of values(schema['dependentSchemas'])) this.schema(part, deeper(place));
    this.#properties(schema, place);
    this.#elements(schema, place);
  }

  /** One that stands in itself is followed once more: its fields are then described at any depth. */
  #reference(ref: string, place: Place): void {
    const found = this.#resolve(ref);
    if (found === null) return this.#cut();
    const before = place.open.get(ref);
    if (before === 'anywhere') return;
    this.schema(found.schema, {
      path: place.path,
      anywhere: place.anywhere || before === 'once',
      names: place.anonymous ? [found.name] : [...place.names, found.name],
      anonymous: false,
      open: new Map([...place.open, [ref, before === 'once' ? 'anywhere' : 'once']]),
      depth: place.depth + 1,
    });
  }

  #properties(schema: Json, place: Place): void {
    for (const [name, child] of Object.entries(isObject(schema['properties']) ? schema['properties'] : {})) {
      const path = place.path + stepTo(name, place.anywhere);
      for (const owner of place.names) this.#add(`${owner}.${name}`, path);
      if (isObject(child)) this.schema(child, { ...below(place, path), names: [`${place.names.at(-1) ?? ''}.${name}`] });
    }
  }

  /** Of lists, and of maps whose keys are no names of fields. */
  #elements(schema: Json, place: Place): void {
    const single = ['items', 'additionalItems', 'contains', 'additionalProperties', 'unevaluatedProperties', 'unevaluatedItems'].map(
      (key) => schema[key],
    );
    const all = [...single.filter(isObject), ...objects(schema['items']), ...objects(schema['prefixItems']), ...values(schema['patternProperties'])];
    for (const one of all) this.schema(one, below(place, `${place.path}${place.anywhere ? '..' : ''}[*]`));
  }

  #add(field: string, path: string): void {
    if (this.#fields.size >= HTTP_FACTS_LIMITS.outputFields) return this.#cut();
    this.#fields.set(`${field} ${path}`, { field, path });
  }

  #cut(): void {
    this.complete = false;
  }
}

function deeper(place: Place): Place {
  return { ...place, depth: place.depth + 1 };
}

function below(place: Place, path: string): Place {
  return { ...place, path, anywhere: false, anonymous: true, depth: place.depth + 1 };
}

const PLAIN_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** RFC 9535: `.name`, or `["a name"]` where it is not a plain one; `..name` at any depth. */
function stepTo(name: string, anywhere: boolean): string {
  if (PLAIN_NAME.test(name)) return `${anywhere ? '..' : '.'}${name}`;
  return `${anywhere ? '..' : ''}[${JSON.stringify(name)}]`;
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function values(value: unknown): readonly Json[] {
  return isObject(value) ? Object.values(value).filter(isObject) : [];
}
