/** The options of `get` and `wait`, which are read at every call: checked only where some were given. */
import { RaiaError } from "../../base/errors.ts";

/** Timers count milliseconds in 31 bits; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;
const known: ReadonlySet<string> = new Set(["timeoutMs", "signal", "numReturns"]);

/** @throws {RaiaError} INVALID_OPTION for a time or a signal that is none, and for a name that nobody knows */
export function checkWaitOptions(options: { readonly timeoutMs?: number | undefined; readonly signal?: AbortSignal | undefined }): void {
  for (const name of Object.keys(options))
    if (!known.has(name))
      throw new RaiaError("INVALID_OPTION", { option: name, rule: `there is no such option; there are ${[...known].join(", ")}` });
  const { timeoutMs, signal } = options;
  // Also false for NaN and for what is no number.
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw new RaiaError("INVALID_OPTION", {
      option: "timeoutMs",
      value: String(timeoutMs),
      rule: `timeoutMs must be milliseconds from 0 to ${MAX_TIMEOUT_MS} (24 days); leave it out to wait for ever`,
    });
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new RaiaError("INVALID_OPTION", { option: "signal", value: typeof signal, rule: "signal must be an AbortSignal" });
}
