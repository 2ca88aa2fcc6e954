/** What threads print, on its way to their node: frames on the standard output of their process. */
import { writeSync } from "node:fs";
import { framesOf, type ThreadFrameKind } from "../node/thread-frames.ts";

const STDOUT = 1;

/** Has written all of it when it returns: the descriptor blocks, since the process around the threads prints at once. */
export function writeFrames(kind: ThreadFrameKind, workerId: string, bytes: Buffer): void {
  try {
    for (const frame of framesOf(kind, workerId, bytes)) for (let at = 0; at < frame.byteLength; ) at += writeSync(STDOUT, frame, at);
  } catch {
    // Without a node there is nobody to tell; this process is about to end.
  }
}

/** Of a thread: what it prints has left the process when the call returns, instead of when the loop of its process runs. */
export function printThroughProcess(workerId: string): void {
  for (const [stream, kind] of [
    [process.stdout, "o"],
    [process.stderr, "e"],
  ] as const) {
    stream._writev = (chunks, done) => {
      for (const { chunk, encoding } of chunks) writeFrames(kind, workerId, bytesOf(chunk, encoding));
      done();
    };
  }
}

function bytesOf(chunk: unknown, encoding: BufferEncoding): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk, encoding) : Buffer.from(chunk as Uint8Array);
}
