/** Gives finalizers their means: V8's minor collection, which a program can call only where a flag says so. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { setYoungCollector } from "../base/finalizers.ts";

type Collect = (options: { readonly type: "minor" }) => void;

/** The function is made when it is first needed: a process that drops nothing never pays for it. */
export function enableYoungCollection(): void {
  let collect: Collect | undefined;
  setYoungCollector(() => {
    collect ??= findCollect();
    collect({ type: "minor" });
  });
}

function findCollect(): Collect {
  // A new context has `gc` when the flag is set at that moment; the program's own global stays as it is.
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as Collect;
  setFlagsFromString("--no-expose-gc");
  return collect;
}
