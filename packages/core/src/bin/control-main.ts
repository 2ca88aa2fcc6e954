/** The control plane of a cluster that stands by itself, in a process of its own. */
import { enableCompileCache } from "node:module";
import { RaiaError } from "../base/errors.ts";
import { controlOptionsFrom } from "./control-options.ts";
import { withOwnModules } from "./own-modules.ts";

enableCompileCache?.();
try {
  const options = controlOptionsFrom(process.env);
  const { runControl } = await withOwnModules(() => import("./control.ts"));
  await runControl(options);
} catch (error) {
  process.stderr.write(`${RaiaError.is(error) ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
