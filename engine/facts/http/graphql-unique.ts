/** Names that may stand once (https://spec.graphql.org/October2021/#sec-Argument-Uniqueness and its like): servers that do not look keep the first, or the last. */
import { type DocumentNode, visit } from 'graphql';

interface Named {
  readonly name: { readonly value: string };
}

/** What stands twice, as a refusal names it; null: nothing does. */
export function repeated(document: DocumentNode): string | null {
  let found: string | null = null;
  const once = (what: string, nodes: readonly Named[] | undefined): void => {
    const names = (nodes ?? []).map(({ name }) => name.value);
    const twice = names.find((name, at) => names.indexOf(name) !== at);
    if (twice !== undefined) found ??= `the ${what} ${twice.slice(0, 64)} stands twice`;
  };
  visit(document, {
    Field: (node) => once('argument', node.arguments),
    Directive: (node) => once('argument', node.arguments),
    ObjectValue: (node) => once('member', node.fields),
    OperationDefinition: (node) =>
      once(
        'variable',
        node.variableDefinitions?.map(({ variable }) => variable),
      ),
  });
  return found;
}
