/** Vite (and so vitest) gives modules addresses of its own: `/@fs/path` for a file, `/path` for one below its root. */
import { existsSync } from "node:fs";
import path from "node:path";

/**
 * The specifier as Node understands it.
 *
 * @param root the directory that Vite serves; the working directory unless configured otherwise
 */
export function specifierWithoutVite(specifier: string, root: string): string {
  if (specifier.startsWith("/@fs/")) return specifier.slice("/@fs".length);
  if (!specifier.startsWith("/") || existsSync(specifier)) return specifier;
  const below = path.join(root, specifier);
  return existsSync(below) ? below : specifier;
}
