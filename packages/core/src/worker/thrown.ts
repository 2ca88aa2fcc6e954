/** What user code threw, or gave as the reason of an abort, as bytes: always something that can be sent. */
import { RaiaError } from "../base/errors.ts";
import { encodeError, readError, reviveError, type ThrowPlace } from "../values/error-codec.ts";
import type { RuntimeValueHooks } from "./objects/value-hooks.ts";

const SHOWN_NODE_CHARS = 8;

export function encodeThrown(error: unknown, hooks: RuntimeValueHooks, { task, pid, node }: ThrowPlace): Uint8Array {
  const place = { task, pid, node: node.slice(0, SHOWN_NODE_CHARS) };
  const scope = hooks.beginEncode();
  try {
    return encodeError(error, hooks, place);
  } catch (cause) {
    // What was thrown cannot be sent: its text can.
    return encodeError(new RaiaError("UNSERIALIZABLE", { reason: "the thrown value cannot be sent", value: String(cause) }), hooks, place);
  } finally {
    scope.end();
  }
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
