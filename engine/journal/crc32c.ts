/** CRC-32C (Castagnoli, RFC 3720 §B.4), eight bytes at a step. */
export function crc32c(bytes: Uint8Array, start: number, end: number, seed = 0): number {
  let crc = ~seed;
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low =
      crc ^ ((bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16) | ((bytes[at + 3] as number) << 24));
    crc =
      (TABLES[1792 + (low & 255)] as number) ^
      (TABLES[1536 + ((low >>> 8) & 255)] as number) ^
      (TABLES[1280 + ((low >>> 16) & 255)] as number) ^
      (TABLES[1024 + (low >>> 24)] as number) ^
      (TABLES[768 + (bytes[at + 4] as number)] as number) ^
      (TABLES[512 + (bytes[at + 5] as number)] as number) ^
      (TABLES[256 + (bytes[at + 6] as number)] as number) ^
      (TABLES[bytes[at + 7] as number] as number);
  }
  for (; at < end; at++) crc = (TABLES[(crc ^ (bytes[at] as number)) & 255] as number) ^ (crc >>> 8);
  return ~crc >>> 0;
}

const TABLES = tables();

function tables(): Int32Array {
  const result = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
    result[byte] = crc;
  }
  for (let at = 256; at < result.length; at++) {
    const before = result[at - 256] as number;
    result[at] = (result[before & 255] as number) ^ (before >>> 8);
  }
  return result;
}
