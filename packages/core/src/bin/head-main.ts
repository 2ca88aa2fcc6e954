/** The head of a local cluster: control and node roles in one process, which meet only in messages. */
import { enableCompileCache } from "node:module";

enableCompileCache?.();
const { runHead } = await import("./head.ts");
await runHead();
