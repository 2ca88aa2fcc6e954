import type { Socket } from "node:net";
import { RaiaError } from "../base/errors.ts";
import { type FirstFrame, FirstFrameReader } from "../wire/first-frame.ts";

/**
 * The first frame of a socket. What comes behind it stays in the socket, which is paused.
 *
 * @throws {RaiaError} PROTOCOL when it is none, CONNECTION_LOST when the socket ends before
 */
export function readFirst(socket: Socket, maxBytes: number): Promise<FirstFrame> {
  const reader = new FirstFrameReader(maxBytes);
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      socket.pause();
      socket.removeListener("data", onData).removeListener("close", onEnd).removeListener("end", onEnd);
    };
    const onEnd = (): void => {
      settle();
      reject(new RaiaError("CONNECTION_LOST", { reason: "it ended before its first frame" }));
    };
    const onData = (chunk: Buffer): void => {
      try {
        const first = reader.push(chunk);
        if (first === undefined) return;
        settle();
        if (first.rest.length > 0) socket.unshift(first.rest);
        resolve(first);
      } catch (error) {
        settle();
        reject(error);
      }
    };
    if (socket.destroyed) return onEnd();
    socket.on("data", onData).once("close", onEnd).once("end", onEnd);
    socket.resume();
  });
}
