/** The second person: approves whatever is open, over the API, until stopped. */
export interface Reviewer {
  readonly approvals: number;
  stop(): Promise<void>;
}

const LOOK_EVERY_MS = 10;

/** @param refusable while a clock is wrong: a refusal ends nothing */
export function startReviewer(api: string, token: string, refusable = false): Reviewer {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  let stopped = false;
  let approvals = 0;
  const approve = async (id: string): Promise<void> => {
    const answer = await fetch(`${api}/v1/approvals/${id}/verdict`, { method: 'POST', headers, body: JSON.stringify({ outcome: 'approve' }) });
    if (answer.ok) approvals++;
    await answer.arrayBuffer();
  };
  const review = async (): Promise<void> => {
    while (!stopped) {
      try {
        const answer = await fetch(`${api}/v1/approvals?state=open`, { headers });
        const open = answer.ok ? ((await answer.json()) as { approval_id: string }[]) : [];
        const said = answer.ok ? '' : await answer.text();
        if (!answer.ok && !refusable) throw new Error(`the reviewer was refused: ${answer.status} ${said}`);
        for (const { approval_id } of open) if (!stopped) await approve(approval_id);
      } catch (error) {
        if (error instanceof TypeError) return; // the gateway is gone
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  };
  const reviewing = review();
  reviewing.catch(() => {}); // thrown again by stop
  return {
    get approvals() {
      return approvals;
    },
    stop: async () => {
      stopped = true;
      await reviewing;
    },
  };
}
