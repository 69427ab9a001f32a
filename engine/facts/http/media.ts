/** `Content-Type` (RFC 9110 §8.3.1), of a body and of its parts. */
import { Trouble } from './trouble.ts';

export interface Media {
  /** Lower case, without parameters; empty: none said. */
  readonly name: string;
  /** Names in lower case; values as they are written, with their quotes. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
  /** No charset is said, or one that UTF-8 is or holds. */
  readonly isUtf8: boolean;
}

const MEDIA =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}\/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127})((?:[ \t]*;[ \t]*[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}=(?:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}|"[^"\\]{0,256}"))*)[ \t]*$/;
const PARAMETER = /;[ \t]*([^=]+)=("[^"]*"|[^";\t ]*)/g;

export function readMedia(type: string): Media | Trouble {
  if (type === '') return { name: '', parameters: [], isUtf8: true };
  const [, name, written = ''] = MEDIA.exec(type) ?? [];
  if (name === undefined) return new Trouble('syntax', 'content-type is malformed');
  const parameters = [...written.matchAll(PARAMETER)].map(([, key = '', value = '']) => [key.toLowerCase(), value] as const);
  const charsets = parameters.flatMap(([key, value]) => (key === 'charset' ? [value.replaceAll('"', '')] : []));
  // RFC 8187: some take it for the parameter without the star, others for none
  if (parameters.some(([key]) => key.includes('*'))) return new Trouble('syntax', 'content-type has a parameter with a star');
  return { name: name.toLowerCase(), parameters, isUtf8: charsets.every((one) => /^(utf-?8|us-ascii)$/i.test(one)) };
}

export function isJson(media: string): boolean {
  return /^(application|text)\/json$|\+json$/.test(media);
}
