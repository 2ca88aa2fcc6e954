/** The options of `get` and `wait`, which are read at every call: checked only where some were given. */
import { RaiaError } from "../../base/errors.ts";
import { nearestName } from "../../base/nearest-name.ts";

export interface GetOptions {
  /** Milliseconds after which the wait rejects with GET_TIMEOUT. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface WaitOptions {
  /** How many must be ready. Default 1. */
  readonly numReturns?: number;
  /** Milliseconds after which what is ready so far is returned. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Timers count milliseconds in 31 bits; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** What each call knows. */
export const waitOptionNames = {
  get: ["timeoutMs", "signal"],
  wait: ["numReturns", "timeoutMs", "signal"],
} as const;

/** @throws {RaiaError} INVALID_OPTION for a time or a signal that is none, a name that nobody knows, and what is no record */
export function checkWaitOptions(call: keyof typeof waitOptionNames, options: unknown): void {
  if (typeof options !== "object" || options === null || Array.isArray(options))
    throw new RaiaError("INVALID_OPTION", {
      option: "options",
      value: options === null ? "null" : typeof options,
      rule: "options must be a record",
    });
  const known: readonly string[] = waitOptionNames[call];
  for (const name of Object.keys(options)) if (!known.includes(name)) throw unknown(call, name);
  const { timeoutMs, signal } = options as { readonly timeoutMs?: unknown; readonly signal?: unknown };
  // Also false for NaN and for what is no number.
  if (timeoutMs !== undefined && !(typeof timeoutMs === "number" && timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS))
    throw new RaiaError("INVALID_OPTION", {
      option: "timeoutMs",
      value: typeof timeoutMs === "number" ? String(timeoutMs) : typeof timeoutMs,
      rule: `timeoutMs must be milliseconds from 0 to ${MAX_TIMEOUT_MS} (24 days); leave it out to wait for ever`,
    });
  if (signal !== undefined && !(signal instanceof AbortSignal))
    throw new RaiaError("INVALID_OPTION", { option: "signal", value: typeof signal, rule: "signal must be an AbortSignal" });
}

function unknown(call: keyof typeof waitOptionNames, name: string): RaiaError {
  const nearest = nearestName(name, waitOptionNames[call]);
  const meant = nearest === undefined ? "" : `; did you mean ${nearest}?`;
  const rule = `there is no such option; ${call} has ${waitOptionNames[call].join(", ")}${meant}`;
  return new RaiaError("INVALID_OPTION", { option: name, rule, nearest });
}
