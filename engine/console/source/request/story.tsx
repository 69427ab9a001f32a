import { type JSX, useState } from 'react';
import type { StoryLine } from '#schemas/review';
import { formatNumber } from '../parts/format.ts';
import { Moment } from '../parts/moment.tsx';
import { Words } from '../parts/words.tsx';

const SHOWN = 20;
const MORE = 200;

/** What happened to the request, newest first. */
export function Story({ lines }: { readonly lines: readonly StoryLine[] }): JSX.Element {
  const [shown, setShown] = useState(SHOWN);
  const newest = lines.toReversed();
  return (
    <section aria-labelledby="story-title">
      <h2 id="story-title">Story</h2>
      <ol className="story">
        {newest.slice(0, shown).map((line, index) => (
          <li key={`${line.time} ${index}`}>
            <span className="quiet">
              <Moment time={line.time} />
            </span>
            <span>
              {line.who !== undefined && (
                <>
                  <Words className="strong">{line.who}</Words>{' '}
                </>
              )}
              <Words>{line.what}</Words>
              {line.comment !== undefined && (
                <q className="comment">
                  <Words>{line.comment}</Words>
                </q>
              )}
            </span>
          </li>
        ))}
      </ol>
      {newest.length > shown && (
        <button type="button" className="link" onClick={() => setShown(shown + MORE)}>
          {`Show ${formatNumber(Math.min(MORE, newest.length - shown))} of ${formatNumber(newest.length - shown)} earlier ones`}
        </button>
      )}
    </section>
  );
}
