/** What the origin answers: `/plain/small`, `/masked/12k` …; what is masked of it is the policy's business. */
const customer = (id: number): object => ({
  id,
  name: `Customer ${id}`,
  ssn: `123-45-${1000 + (id % 9000)}`,
  email: `customer${id}@example.com`,
  address: { street: `Main Street ${id}`, city: 'Springfield', zip: '12345' },
  total: id * 1.5,
  active: id % 2 === 0,
});

const TWELVE_KB_ROWS = 73;

export const DOCUMENTS: Readonly<Record<'small' | '12k', Buffer>> = {
  small: Buffer.from(JSON.stringify(customer(7))),
  '12k': Buffer.from(JSON.stringify({ items: Array.from({ length: TWELVE_KB_ROWS }, (_, id) => customer(id)) })),
};

/** Rows without end, as one document: for memory. */
export const STREAMED_MB = 100;
export const STREAM_CHUNK: Buffer = Buffer.from(Array.from({ length: 400 }, (_, id) => `${JSON.stringify(customer(id))},`).join(''));
