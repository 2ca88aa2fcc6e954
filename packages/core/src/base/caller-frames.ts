/**
 * Where the user's code waits for what failed. A stack is taken on failure only, and deeper than usual for that one time: what
 * Raia calls within itself would fill the usual ten frames. Raia's own frames and Node's are left out of it.
 */
import { fileURLToPath } from "node:url";
import { ownFolder } from "./own-place.ts";

/** Enough for Raia's own frames and the user's that wait for them. */
const MAX_FRAMES = 60;

/** The folder of this library's code: `src` or `dist`. */
const ownMarks = ownFolder.startsWith("file:") ? [ownFolder, fileURLToPath(ownFolder)] : [ownFolder];

/** The frames, a line each; "" where none of the user's code is known to wait. As many as the user's own limit says. */
export function callerFrames(): string {
  const holder: { stack?: unknown } = {};
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = MAX_FRAMES;
  try {
    Error.captureStackTrace(holder, callerFrames);
    return framesIn(holder.stack).filter(isUsers).slice(0, Math.max(0, stackTraceLimit)).join("\n");
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Lines of a stack that are frames. Whoever has their own `prepareStackTrace` may give anything. */
function framesIn(stack: unknown): string[] {
  return typeof stack === "string" ? stack.split("\n").filter(isFrame) : [];
}

/**
 * A stack without Raia's own frames, and without what is below the last frame of the user's; as it is where there is none of the
 * user's, since then Raia itself has failed.
 */
export function withoutOwnFrames(stack: string): string {
  const lines = stack.split("\n");
  const last = lines.findLastIndex((line) => isFrame(line) && isUsers(line));
  if (last < 0) return stack;
  return lines.filter((line, index) => !isFrame(line) || (index <= last && !isOwn(line))).join("\n");
}

function isFrame(line: string): boolean {
  return /^\s+at /.test(line);
}

function isOwn(frame: string): boolean {
  return ownMarks.some((mark) => frame.includes(mark));
}

function isUsers(frame: string): boolean {
  if (/\(?node:/.test(frame) || /^\s+at (?:async )?(?:Promise\.|new Promise |<anonymous>$)/.test(frame)) return false;
  return !isOwn(frame);
}

/** Gives an error the caller's frames instead of those of the place in Raia where it was made. */
export function thrownAtCaller<E extends Error>(error: E): E {
  const frames = callerFrames();
  if (frames !== "") {
    const value = `${error.name}: ${error.message}\n${frames}`;
    Object.defineProperty(error, "stack", { value, writable: true, configurable: true, enumerable: false });
  }
  return error;
}
