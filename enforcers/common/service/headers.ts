/** Names in lower case, in order. */
export type Headers = readonly (readonly [name: string, value: string])[];
