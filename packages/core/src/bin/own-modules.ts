/**
 * Loads the modules of a program of ours. They name one another by their place, so where each is need not be looked up: Node
 * asks the disk for every import (its links, the manifests above it), a quarter of a millisecond each, in every process.
 */
import { registerHooks } from "node:module";

/** Sources or built files, whichever this program is from; its own folder and this one's lie side by side in there. */
const root = new URL("..", import.meta.url).href;
const format = import.meta.url.endsWith(".ts") ? "module-typescript" : "module";

/** @param load imports the program's parts; what is imported later, a user's module for one, is found in Node's own way */
export async function withOwnModules<Loaded>(load: () => Promise<Loaded>): Promise<Loaded> {
  const hooks = registerHooks({
    resolve: (specifier, context, next) =>
      specifier.startsWith(".") && context.parentURL?.startsWith(root) === true
        ? { url: new URL(specifier, context.parentURL).href, format, shortCircuit: true }
        : next(specifier, context),
  });
  try {
    return await load();
  } finally {
    hooks.deregister();
  }
}
