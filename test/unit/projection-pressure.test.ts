import { describe, expect, it } from 'vitest';
import { Pressure } from '#engine/journal/projection/pressure';

/** A thread that uses this share of a processor, looked at every 50 ms. */
function watched(processors: number): { readonly after: (share: number, looks: number) => boolean } {
  let usedUs = 0;
  let nowUs = 0;
  const pressure = new Pressure({ processors, usedUs: () => usedUs, nowUs: () => nowUs });
  const after = (share: number, looks: number): boolean => {
    let gives = false;
    for (let look = 0; look < looks; look++) {
      nowUs += 50_000;
      usedUs += share * 50_000;
      gives = pressure.look();
    }
    return gives;
  };
  return { after };
}

describe('the projection gives way', () => {
  it('where processors are scarce and the gateway works', () => {
    expect(watched(2).after(0.9, 20)).toBe(true);
  });

  it('not to a gateway that is idle, and no longer once it is', () => {
    const { after } = watched(2);
    expect(after(0.05, 100)).toBe(false);
    expect(after(0.9, 20)).toBe(true);
    expect(after(0.05, 20)).toBe(false);
  });

  it('not at once to a single busy moment, and not back and forth between the two thresholds', () => {
    const { after } = watched(2);
    expect(after(1, 1)).toBe(false);
    expect(after(0.3, 40)).toBe(false);
    expect(after(0.9, 20)).toBe(true);
    expect(after(0.3, 40)).toBe(true);
  });

  it('to nobody where there are processors enough', () => {
    expect(watched(4).after(1, 100)).toBe(false);
  });
});
