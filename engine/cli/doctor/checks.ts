/** All that needs a configuration, loaded together when a doctor is called. */
export { checkDisk, checkPort, checkState } from './machine.ts';
export { checkOnCall } from './oncall.ts';
export { checkPolicies } from './policies.ts';
export { checkTarget } from './target.ts';
