import { Dialog } from '@base-ui/react/dialog';
import type { JSX } from 'react';

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ['j k', 'next and previous in a list, or request'],
  ['Enter', 'open it; in a dialog: do it'],
  ['a', 'approve: shows what, then needs Enter'],
  ['d', 'deny, in words'],
  ['c', 'ask for changes'],
  ['u', 'withdraw an approval that is not used yet'],
  ['r', 'close the review of a broken glass'],
  ['n', 'the next request, after a verdict'],
  ['/', 'search'],
  ['i', 'inbox'],
  ['s', 'sessions'],
  ['t', 'targets and enforcers'],
  ['?', 'this list'],
  ['Esc', 'back'],
];

export function Help({ open, close }: { readonly open: boolean; readonly close: () => void }): JSX.Element {
  return (
    <Dialog.Root open={open} onOpenChange={(next) => !next && close()}>
      <Dialog.Portal>
        <Dialog.Backdrop className="backdrop" />
        <Dialog.Popup className="dialog">
          <Dialog.Title className="dialog-title">Keyboard</Dialog.Title>
          <dl className="keys">
            {KEYS.map(([keys, what]) => (
              <div key={keys}>
                <dt>
                  {keys.split(' ').map((key) => (
                    <kbd key={key}>{key}</kbd>
                  ))}
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <div className="dialog-acts">
            <Dialog.Close>Close</Dialog.Close>
          </div>
        </Dialog.Popup>
      </Dialog.Portal>
    </Dialog.Root>
  );
}
