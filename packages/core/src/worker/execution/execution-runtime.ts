/** What the side that runs needs of its process; the code of a task finds the same object as its runtime. */
import type { ClusterLink } from "../cluster-link.ts";
import type { FunctionTable } from "../functions.ts";
import type { Explanation } from "../state/explanation.ts";
import type { ObjectEntry } from "../objects/object-entry.ts";
import type { ReferenceTable } from "../objects/references.ts";
import type { RuntimeValueHooks } from "../objects/value-hooks.ts";

export interface ExecutionRuntime {
  readonly cluster: ClusterLink;
  readonly table: ReferenceTable;
  readonly hooks: RuntimeValueHooks;
  readonly functions: FunctionTable;
  /** Why an object is not there yet. `path`: ids of the calls that wait for it, each for the next; `withinMs`: for asking others. */
  readonly explainer: { explain(entry: ObjectEntry, path: readonly string[], withinMs: number | undefined): Promise<Explanation> };
  /** Tells what happened to tasks now and not within a second. */
  reportEvents(): void;
  /** Takes back, at the node's wish, a lease that nothing has been begun on. */
  yieldLease(leaseId: string): { readonly yielded: boolean; readonly discard: boolean };
}
