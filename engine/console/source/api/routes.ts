/** Every route that the console uses, typed from the contract. */
import type { ApprovalView, DelegationView } from '#schemas/approval';
import type { EnforcerPage } from '#schemas/enforcer-report';
import type { NotificationView } from '#schemas/notification';
import type { DelegationPage, InboxBox, InboxPage, Me, RequestPage, SessionDetail, SessionPage, StatementPage } from '#schemas/review';
import type { AgentClaims, AgentView } from '#schemas/agent';
import { call } from './call.ts';

export interface InboxQuery {
  readonly box: InboxBox;
  readonly q?: string;
  readonly state?: string;
  readonly target?: string;
  readonly cursor?: string;
}

export interface SessionQuery {
  readonly who?: string;
  readonly target?: string;
  readonly state?: string;
  readonly since?: string;
  readonly until?: string;
  readonly cursor?: string;
}

export interface SearchQuery {
  readonly session?: string;
  readonly who?: string;
  readonly target?: string;
  readonly object?: string;
  readonly verb?: string;
  readonly effect?: string;
  readonly outcome?: string;
  readonly code?: string;
  readonly q?: string;
  readonly since?: string;
  readonly until?: string;
  readonly cursor?: string;
  readonly limit?: number;
}

export interface AgentList {
  readonly items: readonly AgentView[];
}

export interface NotificationList {
  readonly items: readonly NotificationView[];
}

/** `/login/options`: how one may log in here. */
export interface LoginOptions {
  readonly oidc: readonly { readonly name: string; readonly start: string }[];
  readonly local: boolean;
}

/** `seen` is the digest of the text that was on the screen: the engine refuses a verdict on another. */
export interface Verdict {
  readonly outcome: 'approve' | 'deny' | 'changes';
  readonly comment?: string;
  readonly seen: string;
}

/** A page of a list; more of it is fetched by its cursor. */
const PAGE = 50;

const at = (id: string): string => `/v1/approvals/${encodeURIComponent(id)}`;

export const api = {
  me: (signal?: AbortSignal) => call<Me>('/v1/me', signal === undefined ? {} : { signal }),
  inbox: (query: InboxQuery, signal: AbortSignal) => call<InboxPage>(`/v1/inbox${search(query)}`, { signal }),
  request: (id: string, signal: AbortSignal, refreshes: boolean) => call<RequestPage>(`${at(id)}/page`, { signal, refreshes }),
  verdict: (id: string, verdict: Verdict) => call<ApprovalView>(`${at(id)}/verdict`, { method: 'POST', body: verdict }),
  cancel: (id: string, comment?: string) => call<ApprovalView>(`${at(id)}/cancel`, { method: 'POST', body: given({ comment }) }),
  withdraw: (id: string, comment?: string) => call<ApprovalView>(`${at(id)}/withdraw`, { method: 'POST', body: given({ comment }) }),
  breakGlass: (id: string, reason: string) => call<ApprovalView>(`${at(id)}/break-glass`, { method: 'POST', body: { reason } }),
  review: (id: string, outcome: 'justified' | 'unjustified', comment: string) =>
    call<ApprovalView>(`${at(id)}/review`, { method: 'POST', body: { outcome, comment } }),
  sessions: (query: SessionQuery, signal: AbortSignal) => call<SessionPage>(`/v1/sessions/page${search(query)}`, { signal }),
  session: (id: string, cursor: string | undefined, signal: AbortSignal, refreshes: boolean) =>
    call<SessionDetail>(`/v1/sessions/${encodeURIComponent(id)}/page${search({ cursor })}`, { signal, refreshes }),
  search: (query: SearchQuery, signal: AbortSignal, refreshes: boolean) => call<StatementPage>(`/v1/search${search(query)}`, { signal, refreshes }),
  delegations: (signal: AbortSignal) => call<DelegationPage>('/v1/delegations', { signal }),
  delegate: (ask: { readonly to: string; readonly starts: string; readonly ends: string; readonly reason: string }) =>
    call<DelegationView>('/v1/delegations', { method: 'POST', body: ask }),
  endDelegation: (id: string) => call<DelegationView>(`/v1/delegations/${encodeURIComponent(id)}`, { method: 'DELETE' }),
  notifications: (state: string, signal: AbortSignal) =>
    call<NotificationList>(`/v1/notifications?${new URLSearchParams({ state }).toString()}`, { signal }),
  agents: (signal: AbortSignal) => call<AgentList>('/v1/agents', { signal }),
  agent: (name: string, signal: AbortSignal) => call<AgentView>(`/v1/agents/${encodeURIComponent(name)}`, { signal }),
  claims: (name: string, signal: AbortSignal) => call<AgentClaims>(`/v1/agents/${encodeURIComponent(name)}/claims`, { signal }),
  enforcers: (signal: AbortSignal) => call<EnforcerPage>('/v1/enforcers', { signal }),
  resend: (id: string) => call<unknown>(`/v1/notifications/${encodeURIComponent(id)}/resend`, { method: 'POST' }),
  loginOptions: (signal: AbortSignal) => call<LoginOptions>('/login/options', { signal }),
  loginByToken: (token: string) => call<Me>('/login/token', { method: 'POST', body: { token } }),
  loginByLink: (code: string) => call<Me>('/login/link', { method: 'POST', body: { code } }),
  logout: () => call<unknown>('/v1/logout', { method: 'POST' }),
} as const;

/** What is empty is left out: an empty filter is no filter. */
function search(query: object): string {
  return `?${new URLSearchParams({ limit: String(PAGE), ...given(query) } as Record<string, string>).toString()}`;
}

function given(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''));
}
