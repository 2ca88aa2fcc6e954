/** Turns a WOFF 1 font back into the OpenType file it was made from: the same tables, each inflated, behind another directory. */

import { inflateSync } from "node:zlib";

/**
 * @throws when `woff` is not a WOFF 1 file
 * @source W3C, WOFF File Format 1.0
 */
export function openTypeOf(woff: Uint8Array): Uint8Array {
  const source = new DataView(woff.buffer, woff.byteOffset, woff.byteLength);
  if (woff.byteLength < 44 || source.getUint32(0) !== signature) throw new Error("Not a WOFF 1 font");
  const count = source.getUint16(12);
  const tables = Array.from({ length: count }, (_, index) => {
    const entry = 44 + 20 * index;
    const offset = source.getUint32(entry + 4);
    const stored = woff.subarray(offset, offset + source.getUint32(entry + 8));
    const length = source.getUint32(entry + 12);
    return {
      tag: source.getUint32(entry),
      checksum: source.getUint32(entry + 16),
      content: stored.byteLength === length ? stored : inflateSync(stored),
    };
  });
  const font = new Uint8Array(tables.reduce((size, { content }) => size + padded(content.byteLength), 12 + 16 * count));
  const target = new DataView(font.buffer);
  const largestPower = 2 ** Math.floor(Math.log2(count));
  target.setUint32(0, source.getUint32(4));
  target.setUint16(4, count);
  target.setUint16(6, largestPower * 16);
  target.setUint16(8, Math.log2(largestPower));
  target.setUint16(10, (count - largestPower) * 16);
  let offset = 12 + 16 * count;
  for (const [index, { tag, checksum, content }] of tables.entries()) {
    const entry = 12 + 16 * index;
    target.setUint32(entry, tag);
    target.setUint32(entry + 4, checksum);
    target.setUint32(entry + 8, offset);
    target.setUint32(entry + 12, content.byteLength);
    font.set(content, offset);
    offset += padded(content.byteLength);
  }
  return font;
}

/** `wOFF` */
const signature = 0x774f4646;

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}
