import { Collapsible } from '@base-ui/react/collapsible';
import type { JSX } from 'react';
import { formatNumber } from './format.ts';
import { Words } from './words.tsx';

const FEW = 6;

/** A few names, and however many more behind one click. */
export function Names({ names }: { readonly names: readonly string[] }): JSX.Element {
  const rest = names.slice(FEW);
  return (
    <Collapsible.Root render={<span />} className="names">
      <Series names={names.slice(0, FEW)} />
      {rest.length > 0 && (
        <>
          {' '}
          <Collapsible.Trigger className="link">{`and ${formatNumber(rest.length)} more`}</Collapsible.Trigger>
          <Collapsible.Panel className="more-names" tabIndex={0} role="region" aria-label="All names">
            <Series names={rest} />
          </Collapsible.Panel>
        </>
      )}
    </Collapsible.Root>
  );
}

function Series({ names }: { readonly names: readonly string[] }): JSX.Element {
  return (
    <>
      {names.map((name, index) => (
        <span key={name}>
          {index > 0 && ', '}
          <Words>{name}</Words>
        </span>
      ))}
    </>
  );
}
