/**
 * What a function that depends on nothing else said of a text, remembered for up to `max` texts; then all of them are forgotten. An `undefined` is
 * asked for again.
 */
export function boundedMemo<Value>(max: number, compute: (text: string) => Value): (text: string) => Value {
  const known = new Map<string, Value>();
  return (text) => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const value = compute(text);
    if (known.size >= max) known.clear();
    known.set(text, value);
    return value;
  };
}
