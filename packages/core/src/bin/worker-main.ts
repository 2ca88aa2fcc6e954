/** A worker process: connects to its node and runs what owners send. */
import { enableCompileCache } from "node:module";

enableCompileCache?.();
const { runWorker } = await import("./worker.ts");
await runWorker();
