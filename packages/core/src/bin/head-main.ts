/** The head of a local cluster: control and node roles in one process, which meet only in messages. */
import { enableCompileCache } from "node:module";
import { RaiaError } from "../base/errors.ts";
import { startEarlyWorker } from "./early-worker.ts";
import { headOptionsFrom } from "./head-options.ts";
import { withOwnModules } from "./own-modules.ts";

enableCompileCache?.();
try {
  const options = headOptionsFrom(process.env);
  const early = startEarlyWorker(options);
  const { runHead } = await withOwnModules(() => import("./head.ts"));
  await runHead(options, early);
} catch (error) {
  // The log's end is what the driver shows: what is expected to go wrong is one line there, and a bug its whole stack.
  process.stderr.write(`${RaiaError.is(error) ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
