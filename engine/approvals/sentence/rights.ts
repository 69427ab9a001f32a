/** GRANT, REVOKE: who gets what. */
import { type Cursor, NotFollowed, parted } from './cursor.ts';
import type { Teller } from './dml.ts';
import { joined, name } from './names.ts';
import type { Word } from './words.ts';

export const grant: Teller = (cursor, scene) => {
  cursor.needs('grant');
  const what = cursor.until('on', 'to');
  const on = cursor.takes('on') ? cursor.until('to') : null;
  cursor.needs('to');
  const to = people(cursor, cursor.until('with', 'granted'));
  const more = cursor.until();
  scene.quotes('grant');
  const options = more.length === 0 ? '' : `, ${passesOn(cursor, more)}`;
  if (on === null) return `makes ${to} ${parted(what).length > 1 ? 'members' : 'a member'} of ${people(cursor, what)}${options}`;
  return `gives ${to} the right to ${rights(cursor, what)} on ${cursor.say(on)}${options}`;
};

export const revoke: Teller = (cursor, scene) => {
  cursor.needs('revoke');
  const option = cursor.takes('grant', 'option', 'for') ? 'pass on ' : '';
  const admin = cursor.takes('admin', 'option', 'for') ? 'the admin option of ' : '';
  const what = cursor.until('on', 'from');
  const on = cursor.takes('on') ? cursor.until('from') : null;
  cursor.needs('from');
  const from = people(cursor, cursor.until('cascade', 'restrict', 'granted'));
  const cascade = cursor.takes('cascade') ? ', and from those they gave it to' : '';
  cursor.takes('restrict');
  const more = cursor.until();
  scene.quotes('grant');
  const rest = more.length === 0 ? '' : `, ${cursor.say(more)}`;
  if (on === null) return `removes ${from} from ${admin}${people(cursor, what)}${cascade}${rest}`;
  return `takes from ${from} the right to ${option}${rights(cursor, what)} on ${cursor.say(on)}${cascade}${rest}`;
};

function rights(cursor: Cursor, words: readonly Word[]): string {
  if (words[0]?.text === 'all') return words.length <= 2 ? 'do everything' : `do everything (${cursor.say(words)})`;
  return joined(parted(words).map((part) => cursor.say(part)));
}

function people(cursor: Cursor, words: readonly Word[]): string {
  return joined(
    parted(words).map((part) => {
      const one = cursor.of(part);
      one.takes('group');
      const who = one.name();
      if (!one.done) throw new NotFollowed('a role expected');
      return who === 'public' ? 'everybody (public)' : name(who);
    }),
  );
}

function passesOn(cursor: Cursor, words: readonly Word[]): string {
  const options = cursor.of(words);
  if (options.takes('with', 'grant', 'option') && options.done) return 'and to pass it on';
  const roles = cursor.of(words);
  if (roles.takes('with', 'admin', 'option') && roles.done) return 'who may add other members';
  return cursor.say(words);
}
