/** A worker process: connects to its node and runs what owners send. */
import { enableCompileCache } from "node:module";
import { withOwnModules } from "./own-modules.ts";

enableCompileCache?.();
const { runWorker } = await withOwnModules(() => import("./worker.ts"));
await runWorker();
