/** What a client may ask for, and which members its params may have. Everything else is refused by name (SECURITY §1.9). */
export interface MethodForm {
  readonly members: readonly string[];
  readonly required: readonly string[];
}

/** `inputResponses`: what the client answers to what the server asked meanwhile. A list with a name is about that one entry of it. */
export const METHODS: Readonly<Record<string, MethodForm>> = {
  'tools/call': { members: ['name', 'arguments', 'inputResponses'], required: ['name'] },
  'tools/list': { members: ['cursor', 'name'], required: [] },
  'resources/list': { members: ['cursor', 'uri'], required: [] },
  'resources/templates/list': { members: ['cursor', 'uri'], required: [] },
  'prompts/list': { members: ['cursor', 'name'], required: [] },
  'resources/read': { members: ['uri', 'inputResponses'], required: ['uri'] },
  'resources/subscribe': { members: ['uri'], required: ['uri'] },
  'resources/unsubscribe': { members: ['uri'], required: ['uri'] },
  'prompts/get': { members: ['name', 'arguments', 'inputResponses'], required: ['name'] },
  'completion/complete': { members: ['ref', 'argument', 'context'], required: ['ref', 'argument'] },
  'logging/setLevel': { members: ['level'], required: ['level'] },
  'subscriptions/listen': { members: ['notifications'], required: ['notifications'] },
};
