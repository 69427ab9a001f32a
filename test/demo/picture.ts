/** A recording of the demo as a picture: `node test/demo/picture.ts OUT.json demo.svg`, from what `npm run demo -- --once --json OUT.json` wrote. */
import { readFileSync, writeFileSync } from 'node:fs';

interface Step {
  readonly name: string;
  readonly command: string;
  readonly output: string;
}

const [from = '', to = ''] = process.argv.slice(2);
const { steps } = JSON.parse(readFileSync(from, 'utf8')) as { steps: readonly Step[] };

/** The four verdicts, and the record. */
const SHOWN = ['masked', 'denied', 'held', 'self-approval', 'ran-once', 'tampered'];
const COLUMNS = 118;
const CHAR = { width: 7.25, height: 16.5 };
const COLOURS = { command: '#7ee787', comment: '#8b949e', output: '#c9d1d9', bad: '#ff7b72', held: '#d2a8ff' };

const lines = SHOWN.flatMap((name) => {
  const step = steps.find((each) => each.name === name);
  if (step === undefined) throw new Error(`${from} has no step ${name}`);
  const output = step.output
    .trimEnd()
    .split('\n')
    .filter((line) => line !== '');
  return [
    ...shown(step).map((line) => ({ text: `$ ${line}`, colour: COLOURS.command })),
    ...output.map((text) => ({ text, colour: colourOf(text) })),
    { text: '', colour: COLOURS.output },
  ];
});
const width = COLUMNS * CHAR.width + 32;
const height = lines.length * CHAR.height + 40;
const rows = lines.map(
  ({ text, colour }, row) => `<text x="16" y="${(row * CHAR.height + 32).toFixed(1)}" fill="${colour}">${escape(clip(text))}</text>`,
);
writeFileSync(
  to,
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width.toFixed(0)} ${height.toFixed(0)}" font-family="ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="12" xml:space="preserve">
<title>The Interlock demo: masked, denied, held, approved, verified</title>
<rect width="100%" height="100%" rx="8" fill="#0d1117"/>
${rows.join('\n')}
</svg>
`,
);

/** Housekeeping between the commands of a step is left out of the picture, never of the demo. */
function shown({ command }: Step): readonly string[] {
  return command.split('\n').filter((line) => !/^(until|request=|segment=|rm -rf|wait$)/.test(line));
}

function colourOf(line: string): string {
  if (/^(ERROR|NOT VERIFIED| *record|interlock:)/.test(line)) return COLOURS.bad;
  if (/^(NOTICE|DETAIL|HINT| *remedy)/.test(line)) return line.startsWith('NOTICE') ? COLOURS.held : COLOURS.comment;
  return COLOURS.output;
}

function clip(line: string): string {
  return line.length > COLUMNS ? `${line.slice(0, COLUMNS - 1)}…` : line;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
