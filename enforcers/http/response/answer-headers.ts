/**
 * Headers of an answer whose body is changed (H8): what describes the bytes no longer fits, and what is not known, or says it in other
 * words than everybody, may carry a masked value.
 */
import type { HeaderList } from '../answer.ts';

/** What a header may say: in one of these forms there is no room for somebody's data but as a plain number. null: nothing, it goes. */
type Form = (value: string) => string | null;

const matching =
  (form: RegExp): Form =>
  (value) =>
    form.test(value) ? value : null;

const NUMBER = matching(/^-?[0-9]{1,12}$/);
const DATE = matching(/^(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT|-?[0-9]{1,12})$/);
/** Names of headers and methods: letters and single hyphens, or a star. */
const NAMES = matching(
  /^(?:\*|[A-Za-z]+(?:-(?:[A-Za-z][A-Za-z0-9]*|[0-9]{1,2})){0,8})(?:[ \t]*,[ \t]*(?:\*|[A-Za-z]+(?:-(?:[A-Za-z][A-Za-z0-9]*|[0-9]{1,2})){0,8})){0,63}$/,
);
const WORD = matching(/^[A-Za-z-]{1,32}$/);
const DIRECTIVES = matching(/^[a-z-]{1,32}(?:=[0-9]{1,10})?(?:[ \t]*[,;][ \t]*[A-Za-z-]{1,32}(?:=[0-9]{1,10})?){0,15}$/i);
const QUOTA = matching(/^[0-9]{1,12}(?:[ \t]*[,;][ \t]*(?:[a-z]{1,8}=)?[0-9]{1,12}){0,7}$/i);
const ORIGIN = matching(/^(?:\*|null|https?:\/\/[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?)$/);
const LANGUAGES = matching(/^[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}(?:[ \t]*,[ \t]*[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}){0,7}$/);
/** `Bearer error_description="no customer 123"`: the scheme is enough. */
const SCHEME: Form = (value) => /^[A-Za-z][A-Za-z0-9-]{0,31}(?=[ \t,]|$)/.exec(value)?.[0] ?? null;
const PARAMETER =
  /^[ \t]*[A-Za-z][A-Za-z0-9.*-]{0,63}=(?:"[A-Za-z][\w.:/#+-]{0,254}"|[A-Za-z][\w.:/#+-]{0,254}|"?[0-9]{1,3}(?:\.[0-9]{1,3})?"?)[ \t]*$/;
/** The type stays; of its parameters those that name something. */
const TYPE: Form = (value) => {
  const [media = '', ...parameters] = value.split(';');
  const kept = parameters.filter((parameter) => PARAMETER.test(parameter));
  return kept.length === parameters.length ? value : [media, ...kept].join(';');
};

/** Headers that say nothing of the content, or that caches and clients cannot do without. */
const KEPT: ReadonlyMap<string, Form> = new Map([
  ['access-control-allow-credentials', WORD],
  ['access-control-allow-headers', NAMES],
  ['access-control-allow-methods', NAMES],
  ['access-control-allow-origin', ORIGIN],
  ['access-control-expose-headers', NAMES],
  ['access-control-max-age', NUMBER],
  ['age', NUMBER],
  ['allow', NAMES],
  ['cache-control', DIRECTIVES],
  ['content-language', LANGUAGES],
  ['content-type', TYPE],
  ['date', DATE],
  ['deprecation', matching(/^(?:true|@[0-9]{1,12})$/)],
  ['expires', DATE],
  ['pragma', WORD],
  ['ratelimit-limit', QUOTA],
  ['ratelimit-policy', QUOTA],
  ['ratelimit-remaining', QUOTA],
  ['ratelimit-reset', QUOTA],
  ['retry-after', DATE],
  ['server', matching(/^[A-Za-z][A-Za-z.-]{0,31}(?:\/[0-9]{1,3}(?:\.[0-9]{1,3}){0,3})?$/)],
  ['strict-transport-security', DIRECTIVES],
  ['sunset', DATE],
  ['vary', NAMES],
  ['www-authenticate', SCHEME],
  ['x-accel-buffering', WORD],
  ['x-content-type-options', WORD],
  ['x-frame-options', WORD],
  ['x-ratelimit-limit', QUOTA],
  ['x-ratelimit-remaining', QUOTA],
  ['x-ratelimit-reset', DATE],
]);

export function keptHeaders(headers: HeaderList): HeaderList {
  return headers.flatMap(([name, value]): HeaderList => {
    const kept = KEPT.get(name)?.(value) ?? null;
    return kept === null ? [] : [[name, kept]];
  });
}

export function valuesOf(headers: HeaderList, name: string): readonly string[] {
  let found: string[] | null = null;
  for (const [one, value] of headers) {
    if (one !== name) continue;
    if (found === null) found = [value];
    else found.push(value);
  }
  return found ?? NONE;
}

const NONE: readonly string[] = [];
