/** The demo apart: every process is started, killed and started again by a command that is printed. */
import type { Step } from './step.ts';

const ENGINE = 'interlock engine -c';
const READY = (name: string): string => `until [ -s ${name}.json ]; do sleep 0.1; done`;
const begin = (command: string, name: string): string => `${command} > ${name}.log 2>&1 &\necho $! | tee ${name}.pid >> pids`;

/** @param ask the client that asks one statement, e.g. `psql -c` */
export function apartSteps(ask: string): readonly Step[] {
  const as = (target: string, statement: string): string =>
    `interlock connect ${target} -c ${target}.yaml --token-file alice.token -- ${ask} "${statement}"`;
  return [
    {
      name: 'nats',
      say: 'The archive: a nats-server that knows five identities, each with a key of its own and an allow-list; the streams are made once.',
      exit: 0,
      shows: ['INTERLOCK_AUDIT: created', 'INTERLOCK_APPROVALS: created'],
      command: [
        'interlock nats identity -c setup.yaml --role setup --json > setup.id',
        'for e in engine-1 engine-2; do interlock nats identity -c $e.yaml --role engine --name $e --json > $e.id; done',
        'for e in shop reports; do interlock nats identity -c $e.yaml --role enforcer --name $e-1 --json > $e.id; done',
        'interlock nats setup -c setup.yaml --print-config --store-dir $PWD/nats $(printf -- "--identity %s.id " setup engine-1 engine-2 shop reports) > nats.conf',
        begin('nats-server -c nats.conf', 'nats'),
        'interlock nats setup -c setup.yaml',
      ].join('\n'),
    },
    {
      name: 'engines',
      say: 'Two engines. The second gets the keys of the installation from the first; approvals they order together, by the stream.',
      exit: 0,
      shows: ['"channel"'],
      command: [
        begin(`${ENGINE} engine-1.yaml --ready engine-1.json`, 'engine-1'),
        READY('engine-1'),
        'interlock token -c engine-1.yaml --login root --group admins --scope approve > root.token',
        'tar -C engine-1 --exclude=keys/checkpoint* --exclude=keys/nats* -cf - keys issuer | tar -C engine-2 -xf -',
        begin(`${ENGINE} engine-2.yaml --ready engine-2.json`, 'engine-2'),
        READY('engine-2'),
        'cat engine-2.json',
      ].join('\n'),
    },
    {
      name: 'enforcers',
      say: 'Two enforcers, each with a one-time code: one judges beside its target, the other asks an engine each time.',
      exit: 0,
      shows: ['shop-1', 'reports-1'],
      command: [
        'for t in shop reports; do interlock enforcer add $t-1 --target $t -c engine-1.yaml --token-file root.token > $t.code; done',
        ...['shop', 'reports'].flatMap((target) => [
          begin(`interlock enforce ${target} -c ${target}.yaml --join $(cat ${target}.code) --ready ${target}.json`, target),
          READY(target),
        ]),
        'rm *.code',
        'interlock enforcer list -c engine-2.yaml --token-file root.token',
      ].join('\n'),
    },
    {
      name: 'statements',
      say: 'Clients see what they always see: a mask here, and there.',
      exit: 0,
      shows: ['***', 'book'],
      hides: ['4111111111111111'],
      command: [
        'interlock token -c engine-1.yaml --login alice --group support > alice.token',
        'interlock token -c engine-1.yaml --login bob --group payments-owners --scope approve > bob-approve.token',
        as('shop', 'SELECT name, card_number FROM customers ORDER BY id'),
        as('reports', 'SELECT id, item FROM orders ORDER BY id'),
      ].join('\n'),
    },
    {
      name: 'held',
      say: 'A write is held. It shows at either engine.',
      exit: 0,
      shows: ['payments'],
      command: [
        `${as('shop', "UPDATE payments SET status = 'refunded' WHERE id = 2")} > update.out 2>&1 &`,
        'until interlock approvals list -c engine-2.yaml --token-file bob-approve.token --json | grep -q apr_; do sleep 0.2; done',
        "request=$(interlock approvals list -c engine-2.yaml --token-file bob-approve.token --json | grep -o 'apr_[0-9A-Z]*' | head -n 1)",
        'interlock approvals list -c engine-1.yaml --token-file bob-approve.token',
      ].join('\n'),
    },
    {
      name: 'killed',
      say: 'Now one engine is killed while the write is held. Reads go on: the enforcers find the other engine by themselves.',
      exit: 0,
      shows: ['lamp'],
      command: [
        'kill -9 $(cat engine-1.pid)',
        `until ${as('shop', 'SELECT id, item FROM orders ORDER BY id')} > read.out 2>&1; do sleep 0.1; done`,
        `until ${as('reports', 'SELECT id, item FROM orders ORDER BY id')} >> read.out 2>&1; do sleep 0.1; done`,
        'cat read.out',
      ].join('\n'),
    },
    {
      name: 'approved',
      say: 'The request has survived. Bob approves it at the engine that lives; the same statement, asked again where the client was told to, runs once.',
      exit: 0,
      shows: ['UPDATE 1', 'refunded'],
      command: [
        'interlock approvals approve $request -c engine-2.yaml --comment "agreed on the phone" --token-file bob-approve.token',
        'while ! grep -q "UPDATE 1\\|ERROR" update.out; do sleep 0.1; done',
        `grep -q "UPDATE 1" update.out || ${as('shop', "UPDATE payments SET status = 'refunded' WHERE id = 2")} > update.out 2>&1`,
        'cat update.out',
        as('shop', 'SELECT id, status FROM payments ORDER BY id'),
      ].join('\n'),
    },
    {
      name: 'nats-killed',
      say: 'The archive is killed too. What an enforcer does is on its own disk first, so reads go on; then it is back, and catches up.',
      exit: 0,
      shows: ['book', 'shop-1'],
      command: [
        'kill -9 $(cat nats.pid)',
        as('shop', 'SELECT id, item FROM orders ORDER BY id'),
        begin('nats-server -c nats.conf', 'nats'),
        'rm engine-1.json',
        begin(`${ENGINE} engine-1.yaml --ready engine-1.json`, 'engine-1'),
        READY('engine-1'),
        'until interlock status -c engine-1.yaml --token-file root.token > status.out; do sleep 0.3; done',
        'interlock enforcer list -c engine-1.yaml --token-file root.token',
      ].join('\n'),
    },
    {
      name: 'verified',
      say: 'What the enforcer did stands in the archive of the engine that was away: verified there with the enforcer’s public key alone.',
      exit: 0,
      shows: ['verified'],
      command: [
        "journal=$(grep -o '[0-9a-f]\\{32\\}' shop.id | head -n 1)",
        'until [ -d engine-1/archive/$journal ]; do sleep 0.2; done',
        'interlock audit verify --dir engine-1/archive/$journal --key shop/keys/checkpoint.pub',
      ].join('\n'),
    },
  ];
}
