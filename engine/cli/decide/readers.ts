import { PostgresMaskRewriter } from '../../facts/postgres/mask/rewriter.ts';
import { Parser, PARSER_MAJORS } from '../../facts/postgres/parser.ts';
import { PostgresFacts } from '../../facts/postgres/reader.ts';
import { type ReadFacts, readFactsOf } from '../../facts/readers.ts';

export interface Readers extends AsyncDisposable {
  readonly facts: { readonly read: ReadFacts };
  readonly masks: PostgresMaskRewriter;
}

/** Facts and masks as a gateway has them, for judging without one. */
export async function openReaders(): Promise<Readers> {
  const parsers = await Promise.all(PARSER_MAJORS.map((major) => Parser.open(major)));
  const facts = new PostgresFacts({ majors: PARSER_MAJORS, parsers });
  const masks = new PostgresMaskRewriter(parsers);
  return { facts: { read: readFactsOf(facts, () => null) }, masks, [Symbol.asyncDispose]: () => facts.close() };
}
