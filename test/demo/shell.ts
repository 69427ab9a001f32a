/** One long-lived bash, as a person would have it: variables and background jobs stay between commands. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { randomUUID } from 'node:crypto';

export interface Answer {
  readonly output: string;
  readonly exit: number;
  readonly seconds: number;
}

export class Shell implements AsyncDisposable {
  readonly #bash;
  #waiting: ((chunk: string) => void) | null = null;

  constructor(options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv }) {
    this.#bash = spawn('bash', ['--norc', '--noprofile'], { ...options, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#bash.stdout.setEncoding('utf8').on('data', (chunk: string) => this.#waiting?.(chunk));
  }

  /** Runs a command, its stderr among its stdout, and hands on what it prints as it comes. */
  run(command: string, onOutput: (text: string) => void = () => {}): Promise<Answer> {
    const mark = `==${randomUUID()}`;
    const started = performance.now();
    return new Promise((resolve) => {
      let output = '';
      this.#waiting = (chunk) => {
        output += chunk;
        const end = output.indexOf(mark);
        const shown = end === -1 ? chunk : chunk.slice(0, Math.max(0, chunk.length - (output.length - end)));
        if (shown !== '') onOutput(shown);
        const exit = end === -1 ? null : /^ (\d+)\n/.exec(output.slice(end + mark.length));
        if (exit) resolve({ output: output.slice(0, end), exit: Number(exit[1]), seconds: (performance.now() - started) / 1000 });
      };
      this.#bash.stdin.write(`{ ${command}\n} 2>&1 </dev/null; printf '${mark} %s\\n' $?\n`);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#bash.stdin.end();
    if (this.#bash.exitCode === null) await once(this.#bash, 'exit');
  }
}
