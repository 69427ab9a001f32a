/** Rego's sprintf as OPA's Go runtime has it, for the verbs that policies use: https://www.openpolicyagent.org/docs/policy-reference/builtins/strings */

const LENGTH_MAX = 64 * 1024;

/** A number with the digits that policy wrote; JSON.parse alone would round beyond 2^53. */
export class ExactNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

/** Undefined (so the rule that asks does not fire) for arguments of the wrong type or a text over 64 KiB. */
export function sprintf(format: unknown, args: unknown): string | undefined {
  if (typeof format !== 'string' || !Array.isArray(args)) return undefined;
  let text = '';
  let next = 0;
  for (let at = 0; at < format.length; at++) {
    const char = format[at] as string;
    if (char !== '%') {
      text += char;
      continue;
    }
    const directive = readDirective(format, at + 1);
    at = directive.end;
    if (directive.verb === '%') text += '%';
    else if (directive.verb === '') text += '%!(NOVERB)';
    else if (next >= args.length) text += `%!${directive.verb}(MISSING)`;
    else text += formatOne(directive, args[next++]);
    if (text.length > LENGTH_MAX) return undefined;
  }
  if (next < args.length) text += `%!(EXTRA ${args.slice(next).map(extra).join(', ')})`;
  return text.length > LENGTH_MAX ? undefined : text;
}

interface Directive {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | null;
  readonly verb: string;
  /** Offset of the verb. */
  readonly end: number;
}

function readDirective(format: string, start: number): Directive {
  let at = start;
  const take = (allowed: string): string => {
    const from = at;
    while (at < format.length && allowed.includes(format[at] as string)) at++;
    return format.slice(from, at);
  };
  const flags = take('+-# 0');
  const width = Math.min(Number(take('0123456789') || '0'), LENGTH_MAX);
  let precision: number | null = null;
  if (format[at] === '.') {
    at++;
    precision = Math.min(Number(take('0123456789') || '0'), 100);
  }
  return { flags, width, precision, verb: format[at] ?? '', end: at };
}

function formatOne(directive: Directive, arg: unknown): string {
  const body = verbText(directive, arg);
  if (body.length >= directive.width) return body;
  if (directive.flags.includes('-')) return body.padEnd(directive.width);
  const zeros = directive.flags.includes('0') && typeof numberOf(arg) === 'string';
  return zeros && body.startsWith('-') ? `-${body.slice(1).padStart(directive.width - 1, '0')}` : body.padStart(directive.width, zeros ? '0' : ' ');
}

function verbText({ verb, precision }: Directive, arg: unknown): string {
  const number = numberOf(arg);
  switch (verb) {
    case 'v':
    case 's':
      return typeof arg === 'string' && precision !== null && verb === 's' ? Array.from(arg).slice(0, precision).join('') : plain(arg);
    case 'q':
      return JSON.stringify(plain(arg));
    case 'd':
      return number !== null && isInteger(number) ? number : wrong(verb, arg);
    case 'x':
    case 'X': {
      const hex =
        number !== null && isInteger(number)
          ? BigInt(number).toString(16)
          : typeof arg === 'string'
            ? Buffer.from(arg, 'utf8').toString('hex')
            : null;
      return hex === null ? wrong(verb, arg) : verb === 'X' ? hex.toUpperCase() : hex;
    }
    case 'o':
    case 'b':
      return number !== null && isInteger(number) ? BigInt(number).toString(verb === 'o' ? 8 : 2) : wrong(verb, arg);
    case 'f':
      return number === null ? wrong(verb, arg) : Number(number).toFixed(precision ?? 6);
    case 'e':
      return number === null
        ? wrong(verb, arg)
        : Number(number)
            .toExponential(precision ?? 6)
            .replace(/e([+-])(\d)$/, 'e$10$2');
    case 't':
      return typeof arg === 'boolean' ? String(arg) : wrong(verb, arg);
    default:
      return wrong(verb, arg);
  }
}

function numberOf(arg: unknown): string | null {
  if (arg instanceof ExactNumber) return arg.source;
  return typeof arg === 'number' ? String(arg) : null;
}

function isInteger(source: string): boolean {
  for (const char of source.startsWith('-') ? source.slice(1) : source) if (char < '0' || char > '9') return false;
  return source !== '' && source !== '-';
}

function wrong(verb: string, arg: unknown): string {
  return `%!${verb}(${extra(arg)})`;
}

function extra(arg: unknown): string {
  const type = typeof arg === 'string' ? 'string' : numberOf(arg) === null ? 'value' : 'number';
  return `${type}=${plain(arg)}`;
}

/** Strings as they are; everything else as Rego writes it. Sets arrive as arrays: the host cannot tell them apart. */
function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return rego(value);
}

function rego(value: unknown): string {
  const number = numberOf(value);
  if (number !== null) return number;
  if (Array.isArray(value)) return `[${value.map(rego).join(', ')}]`;
  if (value !== null && typeof value === 'object') {
    return `{${Object.entries(value)
      .map(([key, item]) => `${JSON.stringify(key)}: ${rego(item)}`)
      .join(', ')}}`;
  }
  return JSON.stringify(value);
}
