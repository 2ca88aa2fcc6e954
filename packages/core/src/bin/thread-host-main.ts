/** A process whose threads are workers. */
import { enableCompileCache } from "node:module";
import { withOwnModules } from "./own-modules.ts";

enableCompileCache?.();
const { runThreadHost } = await withOwnModules(() => import("./thread-host.ts"));
runThreadHost();
