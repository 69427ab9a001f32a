/** The demo is a list of shell commands: what it runs is what it prints, and what anybody can paste. */

import { agentSteps } from './agent-steps.ts';
import { modelSteps } from './model-steps.ts';
import type { Step } from './step.ts';

/**
 * @param ask the client that asks one statement, e.g. `psql -c`
 * @param browser how a request is approved in a browser, e.g. `node browser.mjs /usr/bin/chromium`; null: there is none, the terminal does it
 * @param agent what is in the agent's place at the end
 */
export function steps(ask: string, browser: string | null = null, agent: 'script' | 'model' = 'script'): readonly Step[] {
  const as = (who: string, statement: string): string => `interlock connect shop --token-file ${who}.token -- ${ask} "${statement}"`;
  return [
    {
      name: 'tokens',
      say: 'Two people. Alice supports customers; Bob may decide on payments. Tokens go into files, never into a command line.',
      exit: 0,
      shows: [],
      command: [
        'interlock token --login alice --group support > alice.token',
        'interlock token --login alice --group support --scope approve > alice-approve.token',
        'interlock token --login bob --group payments-owners --scope approve > bob-approve.token',
      ].join('\n'),
    },
    {
      name: 'allowed',
      say: 'An ordinary read. Nothing is in the way.',
      command: as('alice', 'SELECT id, item, qty FROM orders ORDER BY id'),
      exit: 0,
      shows: ['book', 'lamp'],
    },
    {
      name: 'masked',
      say: 'A read of personal data. The database itself answers with the mask: no expression above can see the value.',
      exit: 0,
      command: as('alice', 'SELECT name, email, card_number, length(card_number) FROM customers ORDER BY id'),
      shows: ['Alice Doe', '***'],
      hides: ['4111111111111111', 'alice@corp.example'],
    },
    {
      name: 'denied',
      say: 'Refused, with the rule that refused it. The database has not seen one byte of it.',
      command: as('alice', 'DROP TABLE customers'),
      exit: 1,
      shows: ['refused by policy', 'code='],
    },
    {
      name: 'held',
      say: 'A write in production waits for a second person. Alice’s client hangs; ordinary clients just wait.',
      exit: 0,
      shows: ['payments'],
      command: `${as('alice', "UPDATE payments SET status = 'refunded' WHERE id = 2")} > update.out 2>&1 &\nuntil interlock approvals list --token-file bob-approve.token --json | grep -q apr_; do sleep 0.2; done\ninterlock approvals list --token-file bob-approve.token`,
    },
    {
      name: 'self-approval',
      say: 'Alice tries to approve her own request. No switch makes that possible.',
      exit: 5,
      shows: ['VERDICT_SELF'],
      command:
        "request=$(interlock approvals list --token-file bob-approve.token --json | grep -o 'apr_[0-9A-Z]*' | head -n 1)\ninterlock approvals approve $request --token-file alice-approve.token",
    },
    {
      name: 'approved',
      say: 'Bob reads exactly what will run, and approves it: in the console, or in a terminal.',
      exit: 0,
      shows: ['UPDATE payments', "sets status = 'refunded'"],
      command: ['interlock approvals show $request --token-file bob-approve.token', ...approve(browser)].join('\n'),
    },
    {
      name: 'ran-once',
      say: 'Alice’s client, which had waited all along, has its answer. The row changed once.',
      command: `wait\ncat update.out\n${as('alice', 'SELECT id, status FROM payments ORDER BY id')}`,
      exit: 0,
      shows: ['UPDATE 1', 'refunded'],
    },
    ...(agent === 'model' ? modelSteps : agentSteps)(approve(browser, 'not used yet')),
    {
      name: 'recorded',
      say: 'Every step was on disk before it took effect.',
      command: [
        'interlock sessions list --token-file bob-approve.token',
        "session=$(interlock events --type approval.consumed --json --token-file bob-approve.token | grep -o 'ses_[0-9A-Z]*' | head -n 1)",
        'interlock sessions show $session --token-file bob-approve.token',
      ].join('\n'),
      exit: 0,
      shows: ['alice', 'approval.consumed', 'statement.cleared', 'statement.finished'],
    },
    {
      name: 'verified',
      say: 'An auditor needs the journal and the public key, nothing else.',
      command: 'interlock audit verify --dir journal --key state/keys/checkpoint.pub',
      exit: 0,
      shows: ['verified'],
    },
    {
      name: 'tampered',
      say: 'Flip one byte of a copy: the verification fails at that record.',
      exit: 1,
      shows: ['problem'],
      command: [
        'rm -rf copy && mkdir copy && cp journal/checkpoint copy && cp journal/*.seg copy',
        'segment=$(ls copy/*.seg | head -n 1); offset=$(grep -obUa refunded $segment | head -n 1 | cut -d: -f1); offset=${offset:-2000}',
        "printf 'R' | dd of=$segment bs=1 seek=$offset conv=notrunc status=none",
        'interlock audit verify --dir copy --key state/keys/checkpoint.pub',
      ].join('\n'),
    },
  ];
}

/** @param until what Bob’s page must say before he leaves it */
function approve(browser: string | null, until = 'Ran'): readonly string[] {
  const words = '"refund agreed on the phone"';
  if (browser === null) return [`interlock approvals approve $request --comment ${words} --token-file bob-approve.token`];
  return [
    'interlock console login --login bob --group payments-owners > bob.link',
    `${browser} bob.link $request ${words}${until === 'Ran' ? '' : ` "${until}"`}`,
  ];
}
