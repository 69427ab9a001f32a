/** The demo's end with a real model in the agent's place: the same story, in its own words. */
import { agentAdded, agentApproved, agentStory } from './agent-steps.ts';
import type { Step } from './step.ts';

const TASK = `The database is the target shop, of a shop that is made up for a demonstration. Do three things, each once, and tell me after each what came of it.
1. Read name, email and card_number of all customers (table customers).
2. Try DELETE FROM customers, and tell me what the gateway says to it. I want to see it refuse.
3. Refund payment 4: UPDATE payments SET status = 'refunded' WHERE id = 4. When it waits for a person, do not wait yourself: tell me the id of the approval and stop.`;
const AGAIN =
  'Bob has decided about the refund. Ask how the approval stands, finish the refund, then ask once more how the approval stands, and tell me.';

/** @param approve how Bob says yes to `$request` */
export function modelSteps(approve: readonly string[]): readonly Step[] {
  return [
    agentAdded,
    {
      name: 'model-works',
      say: 'A model gets SKILL.md, the tools of /mcp and three tasks. It sees what Alice sees, is refused what nobody may, and is told that a person decides.',
      exit: 0,
      command: [model(TASK), "request=$(interlock approvals list --token-file bob-approve.token --json | grep -o 'apr_[0-9A-Z]*' | head -n 1)"].join(
        '\n',
      ),
      shows: ['asks query', 'Alice Doe', '***', 'outcome: refused', 'code=', 'outcome: pending', 'approval_id: apr_'],
      hides: ['4111111111111111', 'alice@corp.example'],
    },
    agentApproved(approve),
    {
      name: 'model-returns',
      say: 'The model comes back, and the refund runs: once.',
      exit: 0,
      command: model(AGAIN),
      shows: ['tag: UPDATE 1', 'state: consumed'],
    },
    agentStory,
  ];
}

function model(task: string): string {
  return `node model.mjs refunds "${task}"`;
}
