/** Two sockets made one: what comes in at either leaves at the other, no faster than it is taken. */
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Clock } from "../base/clock.ts";

/** What waits in this process for one direction: enough for one round trip at the speed of memory, and bounded. */
export const MAX_WAITING_BYTES = 512 * 1024;
/** Records of less are not part of much. */
const LARGE_BYTES = 8 * 1024;
/** So long may a socket whose other half is gone take to send what it has and to hear that its peer ends too. */
const LINGER_MS = 10_000;

/** Both sockets must allow half-open. Calls `onClosed` once, when both are gone. */
export function splice(near: Socket, far: Socket, clock: Clock, onClosed: () => void): void {
  let open = 2;
  const closed = (): void => {
    if (--open === 0) onClosed();
  };
  for (const [from, to] of [
    [near, far],
    [far, near],
  ] as const) {
    pump(from, to, clock);
    // The close that follows says the same; without a listener the error would end the process.
    from.on("error", () => {});
    from.once("close", () => {
      windDown(to, clock);
      closed();
    });
  }
}

function pump(from: Socket, to: Socket, clock: Clock): void {
  let isCorked = false;
  const uncork = (): void => {
    isCorked = false;
    to.uncork();
  };
  from.on("data", (bytes: Buffer) => {
    // Its close is about to be heard, and what nobody takes any more is read and dropped: the end behind it must be seen.
    if (!to.writable) return;
    // TLS gives one record at a time, of which several have come: written together they take a seventh less CPU time.
    if (!isCorked && bytes.length >= LARGE_BYTES && from instanceof TLSSocket) {
      isCorked = true;
      to.cork();
      clock.soon(uncork);
    }
    if (!to.write(bytes) && to.writableLength >= MAX_WAITING_BYTES) from.pause();
  });
  to.on("drain", () => from.resume());
  from.once("end", () => to.end());
  from.resume();
}

/** The other half is gone: sends what was read from it, and ends. */
function windDown(socket: Socket, clock: Clock): void {
  if (socket.destroyed) return;
  socket.end();
  socket.resume();
  const patience = clock.after(LINGER_MS, () => socket.destroy());
  socket.once("close", () => patience.cancel());
}
