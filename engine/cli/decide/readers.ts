import { PostgresMaskRewriter } from '../../facts/postgres/mask/rewriter.ts';
import { Parser, PARSER_MAJORS } from '../../facts/postgres/parser.ts';
import { PostgresFacts } from '../../facts/postgres/reader.ts';

export interface Readers extends AsyncDisposable {
  readonly facts: PostgresFacts;
  readonly masks: PostgresMaskRewriter;
}

/** Facts and masks as a gateway has them, for judging without one. */
export async function openReaders(): Promise<Readers> {
  const facts = new PostgresFacts({ majors: PARSER_MAJORS });
  const masks = new PostgresMaskRewriter(await Promise.all(PARSER_MAJORS.map((major) => Parser.open(major))));
  return { facts, masks, [Symbol.asyncDispose]: () => facts.close() };
}
