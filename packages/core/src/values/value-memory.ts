/**
 * Binary data beside the body. The encoder collects views and buffers without copying them; at the end the memory they cover
 * becomes parts: views that overlap or touch share a part, so that what was one memory is one memory again; views apart do not,
 * so that two slices of an 8 KiB pool (or two columns of a large table) take their own bytes along and nothing between.
 *
 *   table   varuint parts, each: varuint length
 *           varuint views, each: u8 kind, varuint part, varuint offset in the part, varuint length in elements
 *                                (a buffer: varuint largest length + 1 when it can be resized, else 0)
 */
import { types } from "node:util";
import { type ByteReader, malformed } from "../base/byte-reader.ts";
import type { ByteWriter } from "../base/byte-writer.ts";
import { builtinNameOf } from "./value-realm.ts";

type ViewClass = {
  new (buffer: ArrayBuffer, offset: number, length: number): ArrayBufferView;
  readonly name: string;
  readonly prototype: object;
};
type MaybeFloat16 = typeof globalThis & { readonly Float16Array?: ViewClass };

/** The position in this list is the kind on the wire: append only. Kind 0 is `Buffer`, and `ARRAY_BUFFER` a buffer itself. */
const VIEW_CLASSES: readonly (readonly [viewClass: ViewClass | undefined, elementBytes: number])[] = [
  [undefined, 1],
  [Uint8Array, 1],
  [Int8Array, 1],
  [Uint8ClampedArray, 1],
  [Int16Array, 2],
  [Uint16Array, 2],
  [Int32Array, 4],
  [Uint32Array, 4],
  [Float32Array, 4],
  [Float64Array, 8],
  [BigInt64Array, 8],
  [BigUint64Array, 8],
  [DataView, 1],
  [(globalThis as MaybeFloat16).Float16Array, 2],
];
const BUFFER = 0;
const ARRAY_BUFFER = 14;
/** Room that a received buffer may reserve for growing. */
const MAX_RESIZABLE_BYTES = 2 ** 32;

const kinds = new Map<object, number>(
  VIEW_CLASSES.flatMap(([viewClass], kind) => (viewClass === undefined ? [] : [[viewClass.prototype, kind]])),
);
kinds.set(Buffer.prototype as object, BUFFER);

/** What kind of view this is, in any realm; undefined for an instance of a subclass. */
export function viewKind(view: ArrayBufferView): number | undefined {
  const proto = Object.getPrototypeOf(view) as object | null;
  const known = proto === null ? undefined : kinds.get(proto);
  if (known !== undefined) return known;
  const name = proto === null ? undefined : builtinNameOf(proto);
  const kind = VIEW_CLASSES.findIndex(([viewClass]) => viewClass !== undefined && viewClass.name === name);
  return kind < 0 ? undefined : kind;
}

interface Range {
  readonly buffer: ArrayBufferLike;
  readonly start: number;
  readonly end: number;
  readonly elementBytes: number;
  readonly kind: number;
  readonly isBuffer: boolean;
  part: number;
  offset: number;
}

/** Smaller parts need no cache line of their own. */
const ALIGNED_FROM_BYTES = 1024;
/** Smaller parts would waste more than half a percent. */
const PAGED_FROM_BYTES = 1024 * 1024;

/**
 * Where a part that could begin at `position` begins: on 8 bytes, larger ones on 64, which is what Arrow asks for, the largest on
 * a page. Memory that is copied from begins on a page as a rule, or 16 bytes behind; a copy to a place a little further into its
 * page than that takes three times as long, because the processor holds each read for an earlier write to the same place of
 * another page.
 */
export function alignPart(position: number, lengthBytes: number): number {
  const step = lengthBytes >= PAGED_FROM_BYTES ? 4096 : lengthBytes >= ALIGNED_FROM_BYTES ? 64 : 8;
  return Math.ceil(position / step) * step;
}

/** Gathers what one value holds. */
export class MemoryWriter {
  readonly #ranges: Range[] = [];
  readonly parts: Uint8Array[] = [];

  /** @returns the number of the view */
  addView(view: ArrayBufferView, kind: number): number {
    const { buffer, byteOffset, byteLength } = view;
    const elementBytes = (VIEW_CLASSES[kind] as readonly [unknown, number])[1];
    return (
      this.#ranges.push({
        buffer,
        start: byteOffset,
        end: byteOffset + byteLength,
        elementBytes,
        kind,
        isBuffer: false,
        part: 0,
        offset: 0,
      }) - 1
    );
  }

  addBuffer(buffer: ArrayBuffer): number {
    return (
      this.#ranges.push({
        buffer,
        start: 0,
        end: buffer.byteLength,
        elementBytes: 8,
        kind: ARRAY_BUFFER,
        isBuffer: true,
        part: 0,
        offset: 0,
      }) - 1
    );
  }

  /** Decides the parts and writes the table. */
  finish(writer: ByteWriter): void {
    for (const ranges of groupByBuffer(this.#ranges)) this.#layOut(ranges);
    writer.varuint(this.parts.length);
    for (const part of this.parts) writer.varuint(part.length);
    writer.varuint(this.#ranges.length);
    for (const { kind, part, offset, start, end, elementBytes, isBuffer, buffer } of this.#ranges) {
      writer.u8(kind);
      writer.varuint(part);
      writer.varuint(offset);
      if (!isBuffer) writer.varuint((end - start) / elementBytes);
      else writer.varuint((buffer as ArrayBuffer).resizable ? (buffer as ArrayBuffer).maxByteLength + 1 : 0);
    }
  }

  /** The ranges of one buffer, each run of touching ones to a part. */
  #layOut(ranges: Range[]): void {
    ranges.sort((a, b) => a.start - b.start || b.end - a.end);
    let run: Range[] = [];
    let end = 0;
    for (const range of ranges) {
      if (run.length > 0 && range.start > end) {
        this.#addPart(run, end);
        run = [];
      }
      end = run.length === 0 ? range.end : Math.max(end, range.end);
      run.push(range);
    }
    if (run.length > 0) this.#addPart(run, end);
  }

  #addPart(run: readonly Range[], end: number): void {
    const [first] = run as [Range];
    // Elements stay on their boundary: seven bytes of the same buffer before the first view go along if they must.
    const start = run.some((range) => (range.start - first.start) % range.elementBytes !== 0)
      ? first.start - (first.start % 8)
      : first.start;
    const part = this.parts.push(new Uint8Array(first.buffer, start, end - start)) - 1;
    for (const range of run) {
      range.part = part;
      range.offset = range.start - start;
    }
  }
}

function groupByBuffer(ranges: readonly Range[]): Iterable<Range[]> {
  const groups = new Map<ArrayBufferLike, Range[]>();
  for (const range of ranges) {
    const group = groups.get(range.buffer);
    if (group === undefined) groups.set(range.buffer, [range]);
    else group.push(range);
  }
  return groups.values();
}

interface ReceivedView {
  readonly kind: number;
  readonly part: number;
  readonly offset: number;
  readonly length: number;
}

/** Gives the memory of a range of a packed value: a buffer over just those bytes, the same one for the same range. */
export type MemoryRange = (start: number, byteLength: number) => ArrayBuffer;

/** Smaller parts are copied: a buffer over shared memory costs more than that. */
const SHARED_FROM_BYTES = 4096;

/** Makes the views of one packed value, over shared memory or over copies. Each part is a buffer of its own. */
export class MemoryReader {
  readonly #bytes: Uint8Array;
  readonly #shared: MemoryRange | undefined;
  readonly #lengths: number[] = [];
  readonly #starts: number[] = [];
  readonly #views: ReceivedView[] = [];
  /** Memory of the parts that were asked for. */
  readonly #buffers: (ArrayBuffer | undefined)[] = [];
  /** Parts that hold a buffer itself, which cannot be a piece of a larger one; with its largest length + 1, or 0. */
  readonly #alone = new Map<number, number>();
  /** Behind the last part, from the start of `bytes`. */
  readonly endBytes: number;

  /**
   * @param bytes hold the whole value, or just its body where `shared` gives the rest
   * @param origin where the packed value begins in `bytes`
   * @param bodyEnd where its body ends
   * @param end where nothing follows
   */
  constructor(table: ByteReader, bytes: Uint8Array, origin: number, bodyEnd: number, end: number, shared: MemoryRange | undefined) {
    this.#bytes = bytes;
    this.#shared = shared;
    let at = bodyEnd - origin;
    for (let left = table.count(); left > 0; left--) {
      const length = table.varuint();
      const start = alignPart(at, length);
      at = start + length;
      if (at > end - origin) throw malformed("truncated binary part");
      this.#starts.push(origin + start);
      this.#lengths.push(length);
    }
    this.endBytes = origin + at;
    for (let left = table.count(4); left > 0; left--) this.#readView(table);
    if (table.remaining > 0) throw malformed("bytes behind the table of parts");
  }

  #readView(table: ByteReader): void {
    const view: ReceivedView = { kind: table.u8(), part: table.varuint(), offset: table.varuint(), length: table.varuint() };
    const partLength = this.#lengths[view.part];
    if (partLength === undefined) throw malformed("view of no part");
    if (view.kind === ARRAY_BUFFER) {
      if (view.offset !== 0) throw malformed("buffer inside a part");
      if (view.length !== 0 && (view.length - 1 < partLength || view.length - 1 > MAX_RESIZABLE_BYTES))
        throw malformed("largest length of a buffer");
      this.#alone.set(view.part, view.length);
    } else {
      const [, elementBytes] = VIEW_CLASSES[view.kind] ?? [undefined, 0];
      if (elementBytes === 0 || view.offset % elementBytes !== 0) throw malformed("kind of a view");
      if (view.offset + view.length * elementBytes > partLength) throw malformed("view outside its part");
    }
    this.#views.push(view);
  }

  /** The view with this number; a new one at each call. */
  view(number: number): ArrayBufferView | ArrayBuffer {
    const view = this.#views[number];
    if (view === undefined) throw malformed("no such view");
    const { kind, part, offset, length } = view;
    const buffer = this.#bufferOf(part);
    if (kind === ARRAY_BUFFER) return buffer;
    if (kind === BUFFER) return Buffer.from(buffer, offset, length);
    const [viewClass] = VIEW_CLASSES[kind] as readonly [ViewClass | undefined, number];
    if (viewClass === undefined) throw malformed("this version of Node has no such typed array");
    return new viewClass(buffer, offset, length);
  }

  #bufferOf(part: number): ArrayBuffer {
    let buffer = this.#buffers[part];
    if (buffer === undefined) {
      const start = this.#starts[part] as number;
      const length = this.#lengths[part] as number;
      // A buffer that was sent as such is its receiver's own, who may transfer it.
      const isShared = this.#shared !== undefined && length >= SHARED_FROM_BYTES && !this.#alone.has(part);
      buffer = (isShared ? this.#shared?.(start, length) : undefined) ?? this.#copyOf(part, start, length);
      this.#buffers[part] = buffer;
    }
    return buffer;
  }

  #copyOf(part: number, start: number, length: number): ArrayBuffer {
    const resizable = this.#alone.get(part) ?? 0;
    const copy = resizable === 0 ? new ArrayBuffer(length) : new ArrayBuffer(length, { maxByteLength: resizable - 1 });
    const end = start + length;
    const source =
      this.#shared === undefined || end <= this.#bytes.length
        ? this.#bytes.subarray(start, end)
        : new Uint8Array(this.#shared(start, length));
    new Uint8Array(copy).set(source);
    return copy;
  }
}

/** Whether the memory of a view or buffer was given away (transferred), so that nothing is left to send. */
export function isDetached(value: ArrayBufferView | ArrayBuffer): boolean {
  const buffer = ArrayBuffer.isView(value) ? value.buffer : value;
  return !types.isSharedArrayBuffer(buffer) && buffer.detached;
}
