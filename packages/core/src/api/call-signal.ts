/** The option `signal`: one AbortSignal that cancels calls, and holds none of them once they are settled. */
import { ObjectRef } from "../worker/objects/object-ref.ts";
import { ObjectRefStream } from "../worker/calls/object-stream.ts";
import type { WorkerRuntime } from "../worker/worker-runtime.ts";

/** @param submitted what `.remote()` gives: a ref, several of one call, or a stream */
export function cancelOnAbort(runtime: WorkerRuntime, submitted: unknown, signal: AbortSignal): void {
  const ref =
    submitted instanceof ObjectRefStream ? submitted.completed() : Array.isArray(submitted) ? (submitted as unknown[])[0] : submitted;
  // A call without results cannot be named, and so not be cancelled.
  if (!ObjectRef.isRef(ref)) return;
  const entry = ObjectRef.entryOf(ref);
  const cancel = (): void => runtime.calls.cancel(entry, { force: false, recursive: true }, signal.reason);
  if (signal.aborted) {
    cancel();
    return;
  }
  if (entry.isSettled) return;
  signal.addEventListener("abort", cancel, { once: true });
  entry.addWaiter({ settled: () => signal.removeEventListener("abort", cancel) });
}
