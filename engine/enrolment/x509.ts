/** The library that makes certificates and requests, with what it stands on. About 150 ms to load: import it when something is to be made. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);

/** One algorithm for every key of an installation: what every TLS stack speaks. */
export const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

export { x509 };
