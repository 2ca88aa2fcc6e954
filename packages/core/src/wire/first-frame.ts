/**
 * The one frame with which a stream begins before it carries anything else: what it is to be spliced to, or what is asked for.
 * Whoever sends it may be anybody, so its size is bounded, and nothing is made of it before it is whole.
 */
import { RaiaError } from "../base/errors.ts";
import { failureBody, readFailure } from "./failure.ts";
import { FRAME_HEADER_BYTES, frameKind } from "./frame.ts";
import { packr } from "./msgpack.ts";
import type { Message } from "./service.ts";

/** A greeting, a name or a certificate request of P-256 fits; whoever has proved nothing gets no more. */
export const MAX_PREFACE_BYTES = 1024;
/** An answer holds a certificate and its authority's. */
export const MAX_ANSWER_BYTES = 16 * 1024;

export interface FirstFrame {
  readonly kind: number;
  readonly tag: number;
  readonly body: unknown;
  /** What came behind it in the same bytes. */
  readonly rest: Buffer;
}

/** Collects the first frame of a stream. */
export class FirstFrameReader {
  readonly #maxBytes: number;
  #collected: Buffer = Buffer.alloc(0);

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** @returns the frame once it is whole. @throws {RaiaError} PROTOCOL when it is too large or no frame */
  push(chunk: Uint8Array): FirstFrame | undefined {
    // Few chunks: the frame is bounded, and what comes behind it is handed back at once.
    const bytes = Buffer.concat([this.#collected, chunk]);
    this.#collected = bytes;
    if (bytes.length < 4) return undefined;
    const length = bytes.readUInt32LE(0);
    if (length < FRAME_HEADER_BYTES - 4 || length > this.#maxBytes)
      throw new RaiaError("PROTOCOL", { reason: "first frame out of bounds", length, limit: this.#maxBytes });
    const end = 4 + length;
    if (bytes.length < end) return undefined;
    return {
      kind: bytes[4] as number,
      tag: bytes.readUInt16LE(5),
      body: unpack(bytes.subarray(FRAME_HEADER_BYTES, end)),
      rest: bytes.subarray(end),
    };
  }
}

export function messageFrame<T>(type: Message<T>, value: T): Buffer {
  return frame(frameKind.oneWay, type.tag, packr.pack(type.toWire(value)));
}

export function failureFrame(error: RaiaError): Buffer {
  return frame(frameKind.failure, 0, packr.pack(failureBody(error)));
}

/** @throws {RaiaError} what the peer answered instead, or PROTOCOL when it is no such message */
export function answerOf<T>(type: Message<T>, { kind, tag, body }: FirstFrame): T {
  if (kind === frameKind.failure) throw readFailure(body);
  if (kind !== frameKind.oneWay || tag !== type.tag)
    throw new RaiaError("PROTOCOL", { reason: "unexpected answer", expected: type.name, tag });
  return type.check(body, type.name);
}

function frame(kind: number, tag: number, body: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(FRAME_HEADER_BYTES + body.length);
  bytes.writeUInt32LE(bytes.length - 4, 0);
  bytes[4] = kind;
  bytes.writeUInt16LE(tag, 5);
  bytes.writeUInt32LE(0, 7);
  body.copy(bytes, FRAME_HEADER_BYTES);
  return bytes;
}

function unpack(bytes: Buffer): unknown {
  try {
    return packr.unpack(bytes);
  } catch (error) {
    throw new RaiaError("PROTOCOL", { reason: "unreadable message" }, { cause: error });
  }
}
