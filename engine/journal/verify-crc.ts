/** CRC-32C (RFC 3720 §B.4) as the verifier computes it: made from the polynomial here, not taken from the writer. Four bytes at a step. */
const POLYNOMIAL = 0x82f63b78;
const TABLE = tables();

/** Over bytes `at` to `at + 4` and `at + 8` to `end`: what a frame's checksum covers. */
export function frameChecksum(bytes: Buffer, at: number, end: number): number {
  return ~advance(bytes, at + 8, end, advance(bytes, at, at + 4, -1)) >>> 0;
}

/** Of a segment's header: bytes 0 to 8 and 12 to `end`. */
export function headerChecksum(bytes: Buffer, end: number): number {
  return ~advance(bytes, 12, end, advance(bytes, 0, 8, -1)) >>> 0;
}

function advance(bytes: Buffer, from: number, end: number, register: number): number {
  let crc = register;
  let at = from;
  for (; at + 4 <= end; at += 4) {
    crc ^= (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24);
    crc =
      (TABLE[768 + (crc & 255)] as number) ^
      (TABLE[512 + ((crc >>> 8) & 255)] as number) ^
      (TABLE[256 + ((crc >>> 16) & 255)] as number) ^
      (TABLE[crc >>> 24] as number);
  }
  for (; at < end; at++) crc = (TABLE[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  return crc;
}

function tables(): Int32Array {
  const table = new Int32Array(1024);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) value = (value & 1) === 1 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    table[byte] = value;
  }
  for (let at = 256; at < 1024; at++) {
    const before = table[at - 256] as number;
    table[at] = (table[before & 255] as number) ^ (before >>> 8);
  }
  return table;
}
