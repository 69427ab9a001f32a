/** What `npm run demo -- …` takes. */
import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly apart: boolean;
  readonly model: boolean;
  readonly once: boolean;
  readonly json?: string;
}

const HELP = `npm run demo -- [--once] [--json FILE] [--apart | --model]

A real PostgreSQL, a gateway, ordinary clients and an agent, in a folder under the system's temporary one. Every command is printed before it runs.

  --once       ends when the story is told; without it everything stays, for you to try, until Ctrl-C
  --json FILE  writes what ran: { steps: [{ name, command, exit, seconds, ok, output }], seconds_setup, seconds_demo }
  --apart      two engines, two enforcers and a nats-server; one of each is killed in the middle
  --model      the agent at the end is a real model, asked by the Messages API. Environment:
                 ANTHROPIC_API_KEY   needed; given to nothing but the model's own step
                 ANTHROPIC_BASE_URL  where it is not Anthropic's own
                 ANTHROPIC_MODEL     default: the newest Sonnet that the API lists
  --help       this

Exit code: 0 every step did what it says, 1 one did not, or no model can be asked, 2 usage.
`;

/** Ends the process where it is asked for help, or for what there is not. */
export function readOptions(args: readonly string[]): DemoOptions {
  const flag = { type: 'boolean', default: false } as const;
  try {
    const options = { apart: flag, model: flag, once: flag, help: flag, json: { type: 'string' } } as const;
    const { help, json, ...values } = parseArgs({ args: [...args], options }).values;
    if (help) end(HELP, 0);
    if (values.apart && values.model) end('npm run demo: --model is the agent of the demo in one process: leave out --apart\n', 2);
    return { ...values, ...(json !== undefined && { json }) };
  } catch (error) {
    return end(`npm run demo: ${(error as Error).message}\n\n${HELP}`, 2);
  }
}

function end(text: string, code: number): never {
  (code === 0 ? process.stdout : process.stderr).write(text);
  process.exit(code);
}
