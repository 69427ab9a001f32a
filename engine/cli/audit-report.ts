/** What `interlock audit verify` and `verify-proof` say to people. */
import type { ProofVerification } from '../journal/proof.ts';
import type { SetVerification } from '../journal/verify-set.ts';
import { escapeText } from './escape.ts';

const PROBLEMS_SHOWN = 20;
const SILENCES_SHOWN = 10;

export function reportSet(result: SetVerification): readonly string[] {
  const { verified, problems, journals, cut_bytes: cut, session } = result;
  const among = journals.length > 1 ? `${journals.length} journals, ` : '';
  const extent = `${among}${result.records} records of ${result.sessions} sessions, ${result.checkpoints} checkpoints, ${result.first ?? '-'} to ${result.last ?? '-'}`;
  const notes = [
    ...sessionLines(session),
    ...(cut === 0 ? [] : [`${cut} bytes at the end were never acknowledged (a crash), and count for nothing`]),
    ...silenceLines(result),
    ...(result.approvals_elsewhere === 0
      ? []
      : [`${result.approvals_elsewhere} statements rest on approvals in an engine’s journal that was not given, or is not here as far as that yet`]),
  ];
  if (verified) return [`verified: ${extent}`, ...notes];
  if (journals.length === 0) return ['NOT VERIFIED: the session is in none of these journals'];
  const many = journals.length > 1;
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ journal, seq, code, detail }) => {
    const where = seq < 0 ? 'journal' : `record ${seq}`;
    return `  ${many ? `${journal?.slice(0, 8) ?? 'archive'} ` : ''}${where}  ${code}  ${escapeText(detail)}`;
  });
  const rest = problems.length > PROBLEMS_SHOWN ? [`  and ${problems.length - PROBLEMS_SHOWN} more (--json has them)`] : [];
  return [`NOT VERIFIED: ${problems.length} problem${problems.length === 1 ? '' : 's'} in ${extent}`, ...shown, ...rest, ...notes];
}

function sessionLines(session: SetVerification['session']): readonly string[] {
  if (session === undefined || session === null) return [];
  const { session_id: id, events, first, last, closed, covered } = session;
  const end = closed ? 'closed' : 'not closed';
  return [
    `${escapeText(id)}: ${events} events, records ${first} to ${last}, ${end}, ${covered ? 'covered by a checkpoint' : 'its end is under no checkpoint yet'}`,
  ];
}

/** Who stopped it said so; those are told by --json alone. */
function silenceLines({ silences, journals }: SetVerification): readonly string[] {
  const odd = silences.filter(({ kind }) => kind !== 'stopped');
  const shown = odd.slice(0, SILENCES_SHOWN).map(({ journal, seq, kind, from, to, seconds }) => {
    const whose = journals.length > 1 ? `${journal?.slice(0, 8) ?? '-'}: ` : '';
    return `${whose}silent for ${seconds} s behind record ${seq} (${kind}), ${from} to ${to}`;
  });
  return [...shown, ...(odd.length > SILENCES_SHOWN ? [`and ${odd.length - SILENCES_SHOWN} more silences (--json has them)`] : [])];
}

export function reportProof({ verified, seq, time, size, origin, events, problems }: ProofVerification): readonly string[] {
  if (!verified) return ['NOT VERIFIED', ...problems.map((each) => `  ${escapeText(each)}`)];
  const said = events.map((event) => `  ${escapeText(JSON.stringify(event))}`);
  return [`verified: record ${seq ?? '-'} of ${escapeText(origin ?? '-')}, ${time ?? '-'}, under a checkpoint of ${size ?? '-'} records`, ...said];
}
