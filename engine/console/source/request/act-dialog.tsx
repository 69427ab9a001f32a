/** The second step of every act: what is about to happen, in sight, and Enter. */
import { AlertDialog } from '@base-ui/react/alert-dialog';
import { type FormEvent, type JSX, type KeyboardEvent, useRef, useState } from 'react';
import type { Act, RequestPage } from '#schemas/review';
import { asCallError, type CallError } from '../api/call.ts';
import { formatBytes, formatNumber } from '../parts/format.ts';
import { Failure } from '../parts/notices.tsx';
import { Sentence, Words } from '../parts/words.tsx';
import { Judged, WordsField } from './act-fields.tsx';
import { ACT_FORMS } from './acts.ts';
import { grantInWords } from './grant.ts';
import { LoginAnew } from './login-anew.tsx';

export interface ActDialogProps {
  readonly act: Act | null;
  readonly page: RequestPage;
  /** How much of a long text has been on the screen; 1: all of it. */
  readonly seen: number;
  readonly close: () => void;
  readonly done: (act: Act) => void;
}

export function ActDialog({ act, ...rest }: ActDialogProps): JSX.Element {
  // what is shown while it closes is what was shown
  const [last, setLast] = useState<Act | null>(null);
  if (act !== null && act !== last) setLast(act);
  return (
    <AlertDialog.Root open={act !== null} onOpenChange={(open) => !open && rest.close()}>
      <AlertDialog.Portal>
        <AlertDialog.Backdrop className="backdrop" />
        {last !== null && <ActPopup key={`${last}:${act === null}`} {...rest} act={last} />}
      </AlertDialog.Portal>
    </AlertDialog.Root>
  );
}

function ActPopup({ act, page, seen, close, done }: ActDialogProps & { readonly act: Act }): JSX.Element {
  const form = ACT_FORMS[act];
  const needsWords = form.words === 'required' || page.can.find((ability) => ability.act === act)?.reason_required === true;
  const [words, setWords] = useState('');
  const [justified, setJustified] = useState<boolean | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<CallError | null>(null);
  const first = useRef<HTMLElement>(null);
  const said = words.trim();
  const ready = !busy && (!needsWords || said !== '') && (act !== 'review' || justified !== null);

  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (!ready) return;
    setBusy(true);
    setError(null);
    try {
      await form.send(page, { words: said, justified: justified === true });
      done(act);
    } catch (failure) {
      setError(asCallError(failure));
      setBusy(false);
    }
  };
  return (
    <AlertDialog.Popup className="dialog" initialFocus={first} finalFocus={() => document.querySelector<HTMLElement>('#main')}>
      <form onSubmit={(event) => void send(event)} onKeyDown={typeIntoWords}>
        <AlertDialog.Title className="dialog-title">{form.title}</AlertDialog.Title>
        <Subject page={page} />
        <AlertDialog.Description className="quiet">{form.says}</AlertDialog.Description>
        {act === 'approve' && <ApproveFacts page={page} seen={seen} />}
        {act === 'review' && <Judged first={first} choose={setJustified} chosen={justified} />}
        {form.words !== 'none' && (
          <WordsField
            form={form}
            required={needsWords}
            words={words}
            change={setWords}
            field={act === 'review' || (act === 'approve' && !needsWords) ? null : first}
          />
        )}
        {error !== null && <Failure error={error} />}
        <LoginAnew code={error?.code} page={page} />
        <div className="dialog-acts">
          <button type="button" onClick={close}>
            Back <kbd>Esc</kbd>
          </button>
          <button
            type="submit"
            className={form.tone}
            aria-disabled={!ready}
            ref={(act === 'approve' && !needsWords) || form.words === 'none' ? (element) => void (first.current = element) : null}
          >
            {busy ? 'Sending …' : form.name} <kbd>Enter</kbd>
          </button>
        </div>
      </form>
    </AlertDialog.Popup>
  );
}

/** Whoever types means words: no letter and no blank that falls on a button does anything, only Enter does. */
function typeIntoWords(event: KeyboardEvent<HTMLFormElement>): void {
  const { key, ctrlKey, metaKey, altKey, target } = event;
  if (key.length !== 1 || ctrlKey || metaKey || altKey || !(target instanceof HTMLButtonElement)) return;
  const words = event.currentTarget.querySelector('textarea');
  if (words) words.focus();
  else event.preventDefault();
}

function Subject({ page: { approval, text } }: { readonly page: RequestPage }): JSX.Element {
  const { login, on_behalf_of: behind } = approval.subject.properties;
  return (
    <div className="dialog-subject">
      <p className="dialog-sentence">
        <Sentence>{approval.summary}</Sentence>
      </p>
      <p className="quiet">
        <Words>{login}</Words>
        {behind !== undefined && (
          <>
            {' for '}
            <Words>{behind.login}</Words>
          </>
        )}
        {' on '}
        <Words>{approval.target}</Words>
        {' · digest '}
        <code className="strong">{text.digest_prefix}</code>
      </p>
    </div>
  );
}

function ApproveFacts({ page: { approval, text }, seen }: { readonly page: RequestPage; readonly seen: number }): JSX.Element {
  return (
    <ul className="facts-list">
      <li>{grantInWords(approval.requirement)}</li>
      {typeof approval.row_ceiling === 'number' && <li>{`At most ${formatNumber(approval.row_ceiling)} rows; more are rolled back.`}</li>}
      {text.statements.length > 1 && <li className="strong">{`The text holds ${formatNumber(text.statements.length)} statements.`}</li>}
      {text.warnings.length > 0 && (
        <li className="warning">
          <Words>{text.warnings.join('; ')}</Words>
        </li>
      )}
      {seen < 1 && <li className="warning">{`You have looked at ${Math.floor(seen * 100)} % of ${formatBytes(text.bytes)}.`}</li>}
    </ul>
  );
}
