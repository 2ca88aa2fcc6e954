/** The head of a local cluster: control and node roles in one process, which meet only in messages. */
import { enableCompileCache } from "node:module";
import { startEarlyWorker } from "./early-worker.ts";
import { headOptionsFrom } from "./head-options.ts";

enableCompileCache?.();
const options = headOptionsFrom(process.env);
const early = startEarlyWorker(options);
const { runHead } = await import("./head.ts");
await runHead(options, early);
