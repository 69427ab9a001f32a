/** One step of a demo: what it says, runs and must show. */
export interface Step {
  readonly name: string;
  /** One line above the command: what to look at. */
  readonly say: string;
  readonly command: string;
  /** Exit code of the command, part of what is shown. */
  readonly exit: number;
  /** The output must contain each of these. */
  readonly shows: readonly string[];
  /** … and none of these. */
  readonly hides?: readonly string[];
}
