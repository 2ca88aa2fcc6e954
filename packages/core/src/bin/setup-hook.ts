/** What `runtimeEnv.setupHook` names is run here, in the worker, before anything else. */
import { pathToFileURL } from "node:url";

type Exports = Readonly<Record<string, unknown>>;

/**
 * @param hook `module#export`; or a module alone, whose default export is run if it is a function. Without functions, its
 * import is the set-up.
 */
export async function runSetupHook(hook: string): Promise<void> {
  const [specifier = "", name] = hook.split("#");
  const isPath = specifier.startsWith(".") || specifier.startsWith("/");
  const module = (await import(isPath ? pathToFileURL(specifier).href : specifier)) as Exports;
  const setup = module[name ?? "default"];
  if (typeof setup === "function") await (setup as () => unknown)();
  else if (name !== undefined) throw new Error(notAFunction(specifier, name, module));
  // Nobody exports a function for a module to be imported and no more: which one was meant is not said.
  else if (functionsOf(module).length > 0) throw new Error(unnamed(specifier, module));
}

function notAFunction(specifier: string, name: string, module: Exports): string {
  const what = name in module ? `is not a function but ${typeof module[name]}` : "is not there";
  return `export ${name} of ${specifier} ${what}; its functions: ${functionsOf(module).join(", ") || "none"}`;
}

function unnamed(specifier: string, module: Exports): string {
  const names = functionsOf(module);
  return `${specifier} has no function as its default export; its functions: ${names.join(", ")}; say which to run, as ${specifier}#${names[0]}`;
}

function functionsOf(module: Exports): string[] {
  return Object.keys(module).filter((name) => typeof module[name] === "function");
}
