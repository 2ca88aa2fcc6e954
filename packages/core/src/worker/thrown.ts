/** What user code threw, or gave as the reason of an abort, as bytes: always something that can be sent. */
import { withoutControlCharacters } from "../base/control-characters.ts";
import { errorCatalogue, RaiaError } from "../base/errors.ts";
import { encodeError, readError, reviveError, type ThrowPlace } from "../values/error-codec.ts";
import type { RuntimeValueHooks } from "./objects/value-hooks.ts";

const SHOWN_NODE_CHARS = 8;
const MAX_SHOWN_CHARS = 500;

export function encodeThrown(error: unknown, hooks: RuntimeValueHooks, { task, pid, node }: ThrowPlace): Uint8Array {
  const place = { task, pid, node: node.slice(0, SHOWN_NODE_CHARS) };
  const scope = hooks.beginEncode();
  try {
    return encodeError(error, hooks, place);
  } catch (cause) {
    return encodeError(unsendable(cause), hooks, place);
  } finally {
    scope.end();
  }
}

/** Says in the place of what was thrown why it cannot be sent. */
function unsendable(cause: unknown): RaiaError {
  if (!RaiaError.is(cause)) return new RaiaError("UNSERIALIZABLE", { what: "what was thrown", reason: String(cause) });
  const { path, type, reason = errorCatalogue[cause.code][0] } = cause.facts;
  return new RaiaError("UNSERIALIZABLE", { what: "what was thrown", path, type, reason, wayOut: "throw an Error" });
}

/** What was thrown, with a line in its stack that says where. */
export function reviveThrown(bytes: Uint8Array, hooks: RuntimeValueHooks): unknown {
  return reviveError(bytes, hooks);
}

export function encodeReason(reason: unknown, hooks: RuntimeValueHooks): Uint8Array {
  return encodeThrown(reason, hooks, { task: "", pid: 0, node: "" });
}

/** The reason as it was given: nobody threw it, so its stack is left as it is. */
export function decodeReason(bytes: Uint8Array, hooks: RuntimeValueHooks): unknown {
  return readError(bytes, hooks).value;
}

/** What was thrown as a text for people: `RangeError: too far`. */
export function shownText(thrown: unknown): string {
  try {
    return String(thrown).slice(0, MAX_SHOWN_CHARS);
  } catch {
    return "a value that has no text"; // Its own code threw.
  }
}

const MAX_LINE_CHARS = 160;

/** Its first line, for lists. */
export function shownLine(thrown: unknown): string {
  const [line = ""] = shownText(thrown).split("\n", 1);
  return withoutControlCharacters(line.length > MAX_LINE_CHARS ? `${line.slice(0, MAX_LINE_CHARS - 1)}…` : line);
}
