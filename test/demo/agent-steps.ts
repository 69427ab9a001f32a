/** The demo's end: an agent on behalf of Alice, the same policies, the same reviewer. */
import type { Step } from './step.ts';

const REFUND = JSON.stringify({ target: 'shop', statement: "UPDATE payments SET status = 'refunded' WHERE id = 4" });

/** @param approve how Bob says yes to `$request` */
export function agentSteps(approve: readonly string[]): readonly Step[] {
  return [
    agentAdded,
    {
      name: 'agent-masked',
      say: 'The agent asks for customers. It sees what Alice sees.',
      exit: 0,
      command: agent('query', JSON.stringify({ target: 'shop', statement: 'SELECT name, email, card_number FROM customers ORDER BY id' })),
      shows: ['Alice Doe', '***'],
      hides: ['4111111111111111', 'alice@corp.example'],
    },
    {
      name: 'agent-refused',
      say: 'It tries to delete. Refused, with the rule, and with what would be allowed.',
      exit: 0,
      command: agent('query', JSON.stringify({ target: 'shop', statement: 'DELETE FROM customers' })),
      shows: ['outcome: refused', 'code=', 'hint:'],
    },
    {
      name: 'agent-pending',
      say: 'It asks for a refund. It does not hang: it is told that a person decides, and how to go on.',
      exit: 0,
      command: `${agent('query', REFUND)} > refund.out\ncat refund.out\nrequest=$(grep -o 'apr_[0-9A-Z]*' refund.out | head -n 1)`,
      shows: ['outcome: pending', 'approval_id: apr_'],
    },
    agentApproved(approve),
    {
      name: 'agent-ran-once',
      say: 'The agent comes back, and the refund runs: once. Asked again, it is told that it was done.',
      exit: 0,
      command: [
        agent('await_approval', '{"approval_id":"\'$request\'"}'),
        agent('query', REFUND),
        agent('await_approval', '{"approval_id":"\'$request\'"}'),
      ].join('\n'),
      shows: ['state: approved', 'tag: UPDATE 1', 'state: consumed'],
    },
    agentStory,
  ];
}

export const agentAdded: Step = {
  name: 'agent-added',
  say: 'A skill for an agent, in one command: an identity of its own with Alice behind it, and what it may do, asked of policy.',
  exit: 0,
  shows: ['name: refunds', 'shop'],
  command: 'interlock skill add refunds --target shop --token-file alice.token\nhead -n 24 refunds/SKILL.md',
};

/** @param approve how Bob says yes to `$request` */
export function agentApproved(approve: readonly string[]): Step {
  return {
    name: 'agent-approved',
    say: 'Bob reads the very statement, with the human behind the agent, and approves it.',
    exit: 0,
    command: ['interlock approvals show $request --token-file bob-approve.token', ...approve].join('\n'),
    shows: ['UPDATE payments', 'alice'],
  };
}

export const agentStory: Step = {
  name: 'agent-story',
  say: 'The record tells it: which agent, for whom, who agreed, what ran. Then the agent is removed.',
  exit: 0,
  command: [
    "session=$(interlock events --type approval.consumed --json --token-file bob-approve.token | grep $request | grep -o 'ses_[0-9A-Z]*' | head -n 1)",
    'interlock sessions show $session --token-file bob-approve.token',
    'interlock skill remove refunds --token-file alice.token',
  ].join('\n'),
  shows: ['refunds', 'alice', 'statement.finished'],
};

function agent(tool: string, given: string): string {
  return `node agent.mjs refunds ${tool} '${given.replaceAll("UPDATE payments SET status = 'refunded'", "UPDATE payments SET status = '\\''refunded'\\''")}'`;
}
