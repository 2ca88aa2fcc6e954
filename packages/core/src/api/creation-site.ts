/**
 * Where in the user's code a ref was made, for `raia memory`. A stack costs a few microseconds, as much as a small `put`
 * itself, so it is taken only when RAIA_RECORD_REF_CREATION_SITES=1 asks for it.
 */
const isRecorded = process.env["RAIA_RECORD_REF_CREATION_SITES"] === "1";

/** @param caller the public function that was called: its caller is the user's code */
export function creationSite(caller: (...args: never[]) => unknown): string {
  if (!isRecorded) return caller.name;
  const holder: { stack?: string } = {};
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 1;
  Error.captureStackTrace(holder, caller);
  Error.stackTraceLimit = stackTraceLimit;
  const [, place] = /\(?((?:file:\/\/)?[^\s()]+:\d+):\d+\)?\s*$/.exec(holder.stack ?? "") ?? [];
  return place === undefined ? caller.name : `${caller.name} ${place.replace("file://", "")}`;
}
