/** Loopback by its name or address, or the folder of a unix socket: what never leaves the machine. */
export function staysHere(host: string): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('/') || /^127(\.\d{1,3}){3}$/.test(host);
}
