/**
 * Frames: `u32 length | u8 kind | u16 tag | u32 call | body`, little endian; length counts what follows it. The kind says
 * how to read the body: a message (msgpack), a reply, a failure, or a hot frame whose codec belongs to the tag.
 */
import { RaiaError } from "../base/errors.ts";

export const frameKind = { oneWay: 0, request: 1, reply: 2, failure: 3, hot: 4 } as const;

export const FRAME_HEADER_BYTES = 11;
/** Larger things travel through the object store, or in parts. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;
/** Until the peer has proved who it is, only a greeting is accepted. */
export const MAX_GREETING_BYTES = 4096;

export interface FrameSink {
  /** The body is bytes[start, end); it is only valid during the call. */
  frame(kind: number, tag: number, call: number, bytes: Buffer, start: number, end: number): void;
}

/** Cuts a stream into frames. Whole frames inside one chunk are not copied. */
export class FrameDecoder {
  #maxFrameBytes: number;
  #partial: Buffer | undefined;
  #partialLength = 0;

  constructor(maxFrameBytes: number) {
    this.#maxFrameBytes = maxFrameBytes;
  }

  allow(maxFrameBytes: number): void {
    this.#maxFrameBytes = maxFrameBytes;
  }

  /** @throws {RaiaError} PROTOCOL when the stream is not frames; the stream must then be closed */
  push(chunk: Uint8Array, sink: FrameSink): void {
    let bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (this.#partial !== undefined) {
      const joined = this.#join(bytes);
      if (joined === undefined) return;
      bytes = joined;
    }
    let at = 0;
    while (bytes.length - at >= 4) {
      const length = bytes.readUInt32LE(at);
      if (length < FRAME_HEADER_BYTES - 4 || length > this.#maxFrameBytes) {
        throw new RaiaError("PROTOCOL", { reason: "frame length out of bounds", length, limit: this.#maxFrameBytes });
      }
      const end = at + 4 + length;
      if (end > bytes.length) break;
      const kind = bytes[at + 4] as number;
      if (kind > frameKind.hot) throw new RaiaError("PROTOCOL", { reason: "unknown frame kind", kind });
      sink.frame(kind, bytes.readUInt16LE(at + 5), bytes.readUInt32LE(at + 7), bytes, at + FRAME_HEADER_BYTES, end);
      at = end;
    }
    if (at < bytes.length) this.#keep(bytes, at);
  }

  /** Collects into a buffer of the size the frame needs, so that a large frame is copied once. */
  #keep(bytes: Buffer, at: number): void {
    const rest = bytes.length - at;
    const needed = rest >= 4 ? bytes.readUInt32LE(at) + 4 : FRAME_HEADER_BYTES;
    this.#partial = Buffer.allocUnsafeSlow(Math.min(Math.max(needed, rest, FRAME_HEADER_BYTES), this.#maxFrameBytes + 4));
    bytes.copy(this.#partial, 0, at);
    this.#partialLength = rest;
  }

  /** Adds a chunk to the partial frame; returns all the bytes once that frame is whole. */
  #join(chunk: Buffer): Buffer | undefined {
    const partial = this.#partial as Buffer;
    const total = this.#partialLength + chunk.length;
    if (this.#partialLength >= 4 && total < partial.readUInt32LE(0) + 4 && total <= partial.length) {
      chunk.copy(partial, this.#partialLength);
      this.#partialLength = total;
      return undefined;
    }
    const joined = Buffer.concat([partial.subarray(0, this.#partialLength), chunk], total);
    this.#partial = undefined;
    this.#partialLength = 0;
    return joined;
  }
}
