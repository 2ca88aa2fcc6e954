/** Gives finalizers their means: V8's collections, which a program can call only where a flag says so. */
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setCollector } from "../base/finalizers.ts";

type Collect = (options: { readonly type: "minor" | "major" }) => void;

/** A full collection of a larger heap would hold up the program for longer than it is worth: some tens of milliseconds. */
const MAX_WHOLE_BYTES = 128 * 1024 ** 2;

/** The function is made when it is first needed: a process that drops nothing never pays for it. */
export function enableCollection(): void {
  let collect: Collect | undefined;
  setCollector((isWhole) => {
    collect ??= findCollect();
    collect({ type: isWhole && getHeapStatistics().used_heap_size <= MAX_WHOLE_BYTES ? "major" : "minor" });
  });
}

function findCollect(): Collect {
  // A new context has `gc` when the flag is set at that moment; the program's own global stays as it is.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
