/** Prints an encoded error whose class only this process has. */
import { encodeError } from "../../src/values/error-codec.ts";
import { ElsewhereError } from "./never-loaded.ts";

const hooks = { replace: () => undefined, revive: () => undefined };
const bytes = encodeError(new ElsewhereError("from elsewhere"), hooks, { task: "far", pid: process.pid, node: "n2" });
process.stdout.write(Buffer.from(bytes).toString("base64"));
