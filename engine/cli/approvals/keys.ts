/** Bytes of a terminal in raw mode → keys. What is not known is dropped: nothing is guessed from half a sequence. */

const SEQUENCES: readonly (readonly [bytes: string, key: string])[] = [
  ['\u001b[A', 'up'],
  ['\u001bOA', 'up'],
  ['\u001b[B', 'down'],
  ['\u001bOB', 'down'],
  ['\u001b[5~', 'pageup'],
  ['\u001b[6~', 'pagedown'],
  ['\u001b[H', 'home'],
  ['\u001b[1~', 'home'],
  ['\u001b[F', 'end'],
  ['\u001b[4~', 'end'],
  ['\r', 'enter'],
  ['\n', 'enter'],
  ['\t', 'tab'],
  ['\u007f', 'backspace'],
  ['\b', 'backspace'],
  ['\u0003', 'quit'],
  ['\u0004', 'quit'],
  ['\u0015', 'clear'],
];

const ESCAPE = '\u001b';

/** A named key, or one character that was typed. */
export function keysOf(chunk: string): readonly string[] {
  const keys: string[] = [];
  let rest = chunk;
  while (rest !== '') {
    const known = SEQUENCES.find(([bytes]) => rest.startsWith(bytes));
    if (known) {
      keys.push(known[1]);
      rest = rest.slice(known[0].length);
      continue;
    }
    // an escape of our own ends a prompt; one that begins a sequence that we do not know goes with all of it
    if (rest.startsWith(ESCAPE)) {
      const sequence = /^(?:\[[0-?]*[ -/]*[@-~]?|O[@-~]?)?/.exec(rest.slice(1))?.[0] ?? '';
      if (sequence === '') keys.push('escape');
      rest = rest.slice(1 + sequence.length);
      continue;
    }
    const [char = ''] = rest;
    if (!/[\p{Cc}\p{Cs}]/u.test(char)) keys.push(char);
    rest = rest.slice(char.length);
  }
  return keys;
}
