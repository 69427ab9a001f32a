/**
 * The whole text of a request: its statements numbered, its hidden characters named, nothing folded away. A long text is drawn only where one
 * looks (a window of rows of one height); a short one is drawn whole, so that the browser's own search finds everything.
 */
import { type JSX, type UIEvent, useEffect, useEffectEvent, useLayoutEffect, useMemo, useRef, useState } from 'react';
import type { ReviewText } from '#schemas/review';
import { count, formatBytes, formatNumber } from '../parts/format.ts';
import { Words } from '../parts/words.tsx';
import { type Row, textRows } from './text-rows.ts';

/** CSS `--row` and the number gutter of `.text-row`. */
const ROW_PX = 20;
const GUTTER_PX = 64;
const WHOLE_ROWS_MAX = 1500;
const ROWS_AROUND = 20;

export function TextView({ text, onSeen }: { readonly text: ReviewText; readonly onSeen: (share: number) => void }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const columns = useColumns(box);
  const rows = useMemo(() => (columns === null ? [] : textRows(text, columns)), [text, columns]);
  const isLong = rows.length > WHOLE_ROWS_MAX;
  const see = useEffectEvent(onSeen);
  useEffect(() => {
    if (rows.length > 0 && !isLong) see(1); // all of it is on the page
  }, [rows, isLong]);
  return (
    <section className="text" aria-labelledby="text-title">
      <header className="text-head">
        <h2 id="text-title">Full text</h2>
        <p className="quiet">
          {[count(text.statements.length, 'statement'), count(text.lines, 'line'), formatBytes(text.bytes)].join(' · ')}
          {text.bytes >= 1024 && ` (${formatNumber(text.bytes)} bytes)`}
          {' · '}
          <Digest prefix={text.digest_prefix} whole={text.digest} />
        </p>
      </header>
      {!text.complete && (
        <p className="warning strong" role="note">
          This text cannot be shown whole, so nobody can approve it.
        </p>
      )}
      {text.warnings.length > 0 && (
        <ul className="warnings" aria-label="What one could miss">
          {text.warnings.map((warning) => (
            <li key={warning} className="warning">
              <Words>{warning}</Words>
            </li>
          ))}
        </ul>
      )}
      <div ref={box}>{isLong ? <Windowed rows={rows} onSeen={onSeen} /> : <Whole rows={rows} />}</div>
    </section>
  );
}

/** The requester's notice shows the same digits. */
export function Digest({ prefix, whole }: { readonly prefix: string; readonly whole: string }): JSX.Element {
  return (
    <span className="digest" title={`${whole}: the notice of the requester begins with the same digits`}>
      digest <code>{prefix}</code>
    </span>
  );
}

function Whole({ rows }: { readonly rows: readonly Row[] }): JSX.Element {
  return (
    <div className="text-box" dir="ltr" role="region" aria-label="Statements" tabIndex={0}>
      {rows.map((row, index) => (
        <TextRow key={index} row={row} />
      ))}
    </div>
  );
}

function Windowed({ rows, onSeen }: { readonly rows: readonly Row[]; readonly onSeen: (share: number) => void }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  useLayoutEffect(() => {
    setHeight(box.current?.clientHeight ?? 600);
  }, []);
  const scrolled = ({ currentTarget }: UIEvent<HTMLDivElement>): void => {
    setTop(currentTarget.scrollTop);
    onSeen(Math.min(1, (currentTarget.scrollTop + currentTarget.clientHeight) / currentTarget.scrollHeight));
  };
  const from = Math.max(0, Math.floor(top / ROW_PX) - ROWS_AROUND);
  const to = Math.min(rows.length, Math.ceil((top + height) / ROW_PX) + ROWS_AROUND);
  const shown = rows.slice(from, to);
  const statement = statementAt(rows, Math.floor(top / ROW_PX));
  return (
    <>
      <p className="text-place quiet" aria-live="polite">
        {`Statement ${formatNumber(statement)} · row ${formatNumber(Math.floor(top / ROW_PX) + 1)} of ${formatNumber(rows.length)}. Home and End go to the ends.`}
      </p>
      <div className="text-box windowed" dir="ltr" ref={box} onScroll={scrolled} role="region" aria-label="Statements" tabIndex={0}>
        <div className="text-all" style={{ height: rows.length * ROW_PX }}>
          <div style={{ transform: `translateY(${from * ROW_PX}px)` }}>
            {shown.map((row, index) => (
              <TextRow key={from + index} row={row} />
            ))}
          </div>
        </div>
      </div>
    </>
  );
}

function TextRow({ row }: { readonly row: Row }): JSX.Element {
  if (row.type === 'statement')
    return (
      <div className="text-row text-statement">
        <span className="text-number">{`#${row.number}`}</span>
        <span>{`Statement ${row.number}: ${row.kind}`}</span>
      </div>
    );
  return (
    <div className="text-row">
      <span className="text-number" aria-hidden="true">
        {row.line ?? '↳'}
      </span>
      <code>
        {row.pieces.map(({ kind, text }, index) => (
          <span key={index} className={`t-${markOf(kind, text)}`}>
            {text}
          </span>
        ))}
      </code>
    </div>
  );
}

/** `20,000 spaces` is a mark as well: it is not what stands in the text. */
function markOf(kind: string, text: string): string {
  return kind === 'space' && text.trim() !== '' ? 'hidden' : kind;
}

function statementAt(rows: readonly Row[], index: number): number {
  for (let at = Math.min(index, rows.length - 1); at >= 0; at -= 1) {
    const row = rows[at];
    if (row?.type === 'statement') return row.number;
  }
  return 1;
}

/** How many characters fit beside the line numbers; measured, and again when the place changes. */
function useColumns(box: { readonly current: HTMLDivElement | null }): number | null {
  const [columns, setColumns] = useState<number | null>(null);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    const measure = (): void => setColumns(Math.max(20, Math.floor((element.clientWidth - GUTTER_PX - 24) / charWidth(element))));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return columns;
}

function charWidth(parent: HTMLElement): number {
  const probe = document.createElement('code');
  probe.className = 'text-probe';
  probe.textContent = '0'.repeat(100);
  parent.append(probe);
  const { width } = probe.getBoundingClientRect();
  probe.remove();
  return width / 100 || 8;
}
