/** One finding of `interlock doctor` (SURFACE.md). */
export interface Check {
  readonly id: string;
  readonly ok: boolean;
  readonly value: string;
  readonly expected: string;
  /** What to do; empty when all is well. */
  readonly remedy: string;
}

/** Runs one check: what `look` answers is its value; what it throws is its trouble. */
export async function check(
  id: string,
  expected: string,
  remedy: string,
  look: () => Promise<{ readonly ok: boolean; readonly value: string }> | { readonly ok: boolean; readonly value: string },
): Promise<Check> {
  try {
    const { ok, value } = await look();
    return { id, ok, value, expected, remedy: ok ? '' : remedy };
  } catch (error) {
    const { message, hint } = error as { message: string; hint?: string };
    return { id, ok: false, value: message, expected, remedy: hint ?? remedy };
  }
}
