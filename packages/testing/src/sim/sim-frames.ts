/** What the frames of one write are, for traces and for faults that concern one kind of message. */
import { frameKind, FRAME_HEADER_BYTES, messageNames } from "@raia/core/internal";

export interface FrameSlice {
  readonly kind: number;
  readonly tag: number;
  readonly call: number;
  readonly start: number;
  readonly end: number;
}

/** A connection writes whole frames. */
export function* framesOf(bytes: Uint8Array): Iterable<FrameSlice> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + FRAME_HEADER_BYTES <= bytes.byteLength; ) {
    const end = at + 4 + view.getUint32(at, true);
    yield { kind: bytes[at + 4] as number, tag: view.getUint16(at + 5, true), call: view.getUint32(at + 7, true), start: at, end };
    at = end;
  }
}

export function nameOfFrame({ kind, tag }: FrameSlice): string {
  if (kind === frameKind.failure) return "failure";
  return messageNames.get(tag) ?? `tag ${tag}`;
}
