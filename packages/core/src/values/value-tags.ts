/**
 * The first byte of an encoded value, and the limits. Both forms share the tags: the small form uses those below `packed`
 * alone, the packed form is a header, a body of any tags, and binary parts (see value-packing.ts).
 */
export const tag = {
  undefined: 0x00,
  null: 0x01,
  false: 0x02,
  true: 0x03,
  /** i32 */
  int32: 0x04,
  /** f64 */
  double: 0x05,
  /** Two's complement, 8 bytes. */
  bigint64: 0x06,
  /** u8 sign, varuint length, magnitude, most significant byte first */
  bigint: 0x07,
  /** u8 length, one byte a character */
  latin1: 0x08,
  utf8: 0x09,
  utf16: 0x0a,
  /** varuint length, bytes */
  buffer: 0x0b,
  uint8Array: 0x0c,
  /** varuint length, elements */
  array: 0x0d,
  /** varuint count, then key and value in turn */
  object: 0x0e,
  /** In an array: nothing at this index. */
  hole: 0x0f,

  /** Begins the packed form; everything from here on occurs in its body only. */
  packed: 0x10,
  /** varuint number of an object that came before */
  reference: 0x11,
  /** varuint count, keys, values. The keys are remembered as a shape. */
  record: 0x12,
  /** varuint number of a shape, values */
  sameRecord: 0x13,
  /** Like `object`, with no prototype. */
  nullObject: 0x14,
  /** varuint length, varuint count, index and value in turn, varuint count, key and value in turn */
  sparseArray: 0x15,
  map: 0x16,
  set: 0x17,
  date: 0x18,
  regExp: 0x19,
  /** A primitive in an object: `new Number(1)`. */
  boxed: 0x1a,
  error: 0x1b,
  /** varuint number of a view */
  binary: 0x1c,
  /** string kind, payload: what the layers above put in (refs, handles) */
  branded: 0x1d,
  /** string id, varuint version, payload: an instance of a registered class */
  coded: 0x1e,
  /** u8 library, u8 form, varuint number of a view */
  arrow: 0x1f,
  /** u8 kind of container; its contents come after the root value, so that deep values need no deep recursion */
  later: 0x20,
  /** varuint length, i32 or f64 each: a plain array of numbers */
  int32s: 0x21,
  doubles: 0x22,

  /** The integers 0 to 127 are one byte. */
  firstSmallInteger: 0x80,
} as const;

/** What can be made empty and filled afterwards; for containers the byte behind `tag.later`. */
export const laterKind = { array: 0, object: 1, nullObject: 2, map: 3, set: 4, errorProperties: 5 } as const;

/** Past this a value takes the packed form, whose binary parts are not copied by the encoder. */
export const MAX_SMALL_BYTES = 64 * 1024;
export const MAX_SMALL_DEPTH = 8;
/** Longer arrays are worth a look at what their elements have in common. */
export const MAX_SMALL_ELEMENTS = 256;

/** Containers inside one another before contents are put off. Both sides recurse this far. */
export const MAX_NESTING = 200;
/** What a hook or codec wrote must be complete when it is read, so nothing in it is put off. About 250 KiB of a stack of 1 MiB. */
export const MAX_PAYLOAD_NESTING = 400;

/** Shapes remembered in one value, and keys in each: rows of tables have few shapes, dictionaries have too many keys to compare. */
export const MAX_SHAPES = 1000;
export const MAX_SHAPE_KEYS = 64;

/** Length byte of a key that stands for: a string value follows. */
export const LONG_KEY = 0xff;
export const MAX_SHORT_KEY = 64;

/** The property by which the layers above mark what they can send. */
export const brandSymbol: symbol = Symbol.for("raia.brand");

/** The property in which a class of ours says why its instances cannot be sent: `{ reason, wayOut }`. */
export const whyUnsendable: unique symbol = Symbol("raia.unsendable");
