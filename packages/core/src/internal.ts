/** For the sibling packages: what they build on that users do not see. */
export { type Clock, realClock, type Timer } from "./base/clock.ts";
export type { FinalizerKind, Finalizers } from "./base/finalizers.ts";
export { type Random, randomBelow, seededRandom } from "./base/random.ts";
export type { ResourceSet } from "./base/resources.ts";
export { installRemoteValues } from "./api/remote-value-codecs.ts";
export type { InProcessWorker } from "./bin/in-process-launcher.ts";
export type { ProcessShell } from "./bin/in-process-shell.ts";
export { World, type WorldOptions } from "./bin/in-process-world.ts";
export { ResourceLedger } from "./node/resource-ledger.ts";
export type { Arena } from "./store/arena.ts";
export { FakeDisk } from "./store/fake-disk.ts";
export { StoreServer } from "./store/store-server.ts";
export { MemoryTransport } from "./wire/memory-transport.ts";
export type { FunctionCodec } from "./worker/functions.ts";
export { ReferenceTable } from "./worker/references.ts";
export { currentContext, currentRuntime, setProcessRuntime } from "./worker/task-context.ts";
export type { WorkerRuntime } from "./worker/worker-runtime.ts";
