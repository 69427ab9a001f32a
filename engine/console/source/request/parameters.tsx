import type { JSX } from 'react';
import type { ApprovalView } from '#schemas/approval';
import { count } from '../parts/format.ts';
import { Words } from '../parts/words.tsx';

const VALUE_SHOWN = 400;

/** Each whole; a long one is folded, with its length as the handle. */
export function Parameters({ approval: { params = [], param_types: types = [] } }: { readonly approval: ApprovalView }): JSX.Element {
  return (
    <ol className="params">
      {params.map((value, index) => (
        <li key={index}>
          <code className="quiet">{`$${index + 1} ${types[index] ?? 'unknown'}`}</code>{' '}
          {value === null ? (
            <code>NULL</code>
          ) : (
            <details open={value.length <= VALUE_SHOWN}>
              <summary>{count(value.length, 'character')}</summary>
              <code className="param">
                <Words>{value}</Words>
              </code>
            </details>
          )}
        </li>
      ))}
    </ol>
  );
}
