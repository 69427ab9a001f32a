import { Kind, type FieldNode, type OperationDefinitionNode, type ValueNode } from 'graphql';

/** The arguments of a field as JSON, with variables filled in: as they came, else by their default; absent where there is neither. */
export function argumentsOf(
  { arguments: given = [] }: FieldNode,
  operation: OperationDefinitionNode,
  variables: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const args: Record<string, unknown> = {};
  for (const { name, value } of given) set(args, name.value, valueOf(value, new Values(operation, variables)));
  return args;
}

class Values {
  readonly #operation: OperationDefinitionNode;
  readonly #given: Readonly<Record<string, unknown>>;

  constructor(operation: OperationDefinitionNode, given: Readonly<Record<string, unknown>>) {
    this.#operation = operation;
    this.#given = given;
  }

  of(name: string): unknown {
    if (Object.hasOwn(this.#given, name)) return this.#given[name];
    const definition = this.#operation.variableDefinitions?.find(({ variable }) => variable.name.value === name);
    return definition?.defaultValue === undefined ? undefined : valueOf(definition.defaultValue, this);
  }
}

function valueOf(node: ValueNode, variables: Values): unknown {
  switch (node.kind) {
    case Kind.VARIABLE:
      return variables.of(node.name.value);
    case Kind.NULL:
      return null;
    case Kind.INT:
    case Kind.FLOAT:
      return numberOf(node.value);
    case Kind.STRING:
    case Kind.ENUM:
    case Kind.BOOLEAN:
      return node.value;
    case Kind.LIST:
      return node.values.map((one) => valueOf(one, variables) ?? null);
    case Kind.OBJECT: {
      const object: Record<string, unknown> = {};
      for (const { name, value } of node.fields) set(object, name.value, valueOf(value, variables));
      return object;
    }
  }
}

/** One that is rounded stands as its text, as in bodies. */
function numberOf(text: string): number | string {
  const value = Number(text);
  return Number.isFinite(value) && (Number.isSafeInteger(value) || !Number.isInteger(value)) ? value : text;
}

function set(object: Record<string, unknown>, name: string, value: unknown): void {
  if (value !== undefined) Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
}
