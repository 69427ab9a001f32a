/** A check that is a list of steps, each said with its time; the first that fails ends it. */

export interface Steps {
  <T>(name: string, work: () => Promise<T>): Promise<T>;
}

/** @throws what a step threw, after saying which it was */
export async function checked(title: string, work: (step: Steps) => Promise<void>): Promise<void> {
  console.log(title);
  const step: Steps = async (name, one) => {
    const started = performance.now();
    const took = (): string => `(${((performance.now() - started) / 1000).toFixed(1)} s)`;
    try {
      const value = await one();
      console.log(`  ok     ${name} ${took()}`);
      return value;
    } catch (error) {
      console.log(`  FAILED ${name} ${took()}`);
      throw error;
    }
  };
  await work(step);
}

export function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
