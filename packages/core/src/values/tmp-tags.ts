/** First byte of every value. The small form uses the first group alone; the general form is a graph of all of them. */
export const tag = {
  undefined: 0,
  null: 1,
  true: 2,
  false: 3,
  /** i32 */
  int: 4,
  /** f64 */
  double: 5,
  /** u8 length, one byte a character */
  latin1: 6,
  /** u32 length, UTF-8 */
  utf8: 7,
  /** u32 length, UTF-16: strings with lone surrogates */
  utf16: 8,
  /** u32 length, decimal digits */
  bigint: 9,
  /** u32 length */
  bytes: 10,
  /** u32 length; a Node Buffer */
  buffer: 11,
  /** u32 count, items */
  array: 12,
  /** u32 count, then key (latin1 or utf8 or utf16) and value */
  object: 13,
  /** u8 */
  byte: 14,
  // General form only
  /** u32: an object that came before */
  same: 16,
  map: 17,
  set: 18,
  date: 19,
  regexp: 20,
  error: 21,
  /** then a primitive */
  boxed: 22,
  /** u32 length, u32 count, then index and item */
  sparse: 23,
  /** u8 kind, f64 offset, f64 length, then its buffer */
  view: 24,
  /** u32 part */
  arrayBuffer: 25,
  /** kind, payload */
  branded: 26,
  /** id, version, plain */
  coded: 27,
  /** u32 count, keys and values, as object; prototype null */
  nullObject: 28,
  raiaError: 29,
  hole: 30,
} as const;

/** Marks the packed general form: outside of every tag above. */
export const PACKED = 0x80;

export const MAX_DEPTH = 2000;

export const viewKinds = [
  Int8Array,
  Uint8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
] as const;
export const DATA_VIEW_KIND = 100;
export const BUFFER_KIND = 101;
export const FLOAT16_KIND = 102;
