/** A process whose threads are workers. */
import { enableCompileCache } from "node:module";

enableCompileCache?.();
const { runThreadHost } = await import("./thread-host.ts");
runThreadHost();
