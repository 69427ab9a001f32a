/** What the policy decision point says of itself. https://openid.github.io/authzen/#name-policy-decision-point-metadata */
import { ALL_OBLIGATIONS } from '#schemas/decision';

export interface Metadata {
  readonly policy_decision_point: string;
  readonly access_evaluation_endpoint: string;
  readonly access_evaluations_endpoint: string;
  readonly access_request_endpoint: string;
  readonly supported_obligations: readonly string[];
  readonly capabilities: readonly string[];
}

export function metadataOf(publicUrl: string): Metadata {
  return {
    policy_decision_point: publicUrl,
    access_evaluation_endpoint: `${publicUrl}/access/v1/evaluation`,
    access_evaluations_endpoint: `${publicUrl}/access/v1/evaluations`,
    access_request_endpoint: `${publicUrl}/access/v1/requests`,
    supported_obligations: ALL_OBLIGATIONS.filter((name) => !name.includes('.')),
    capabilities: ['urn:openid:authzen:capability:access-request'],
  };
}
