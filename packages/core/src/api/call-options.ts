/** The options of calls that act at once and keep nothing: checked before anything is sent, each by the rules of all options. */
import { checkRecord, name, type Rules, truth, whole } from "./option-rules.ts";

/** Rows of a listing; the wire has 32 bits for it. */
const MAX_ROWS = 4_294_967_295;

const rules = {
  cancel: { force: truth, recursive: truth },
  getActor: { namespace: name },
  kill: { noRestart: truth },
  list: { limit: whole(0, MAX_ROWS) },
} as const satisfies Record<string, Rules>;

/** @throws {RaiaError} INVALID_OPTION for a name that nobody knows, a value of the wrong kind, and what is no record */
export function checkCallOptions(call: keyof typeof rules, options: unknown): void {
  if (options !== undefined) checkRecord(options, "", rules[call], "a record");
}
