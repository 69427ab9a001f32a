/** Where to go behind a login: a path of the console, never an address (open redirect). */
const PATH =
  /^\/(?:inbox|sessions|search|reviews|delegations|notifications|approvals\/apr_[0-9A-HJKMNP-TV-Z]{26}|sessions\/ses_[0-9A-HJKMNP-TV-Z]{26})?(?:\?[A-Za-z0-9_=&.:%+-]{0,400})?$/;

export function safeNext(next: string | undefined): string {
  return next !== undefined && PATH.test(next) ? next : '/';
}
