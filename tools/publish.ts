/**
 * Turns one package of the checkout into what `npm pack` and `npm publish` put into its tarball, and back. In the
 * checkout `exports` name the TypeScript sources, so that nothing has to be built; Node.js refuses to run TypeScript
 * under node_modules, so the tarball has JavaScript and declarations in dist/, and `exports` that name those.
 *
 * npm calls it in the package's folder: `prepare` before it packs (prepack), `restore` afterwards (postpack). Whatever
 * `prepare` writes has a fixed name, so an interrupted run is undone by the next one.
 */
import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundle } from "./bundle.ts";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sourceManifest = "package.json.source";
/** Copied from the root of the repository for the tarball's readers. */
const sharedFiles = ["LICENSE", "README.md"];

type Manifest = { [key: string]: unknown; name: string; exports?: unknown; scripts?: unknown; devDependencies?: unknown };

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  if (process.argv[2] === "prepare") await prepare(process.cwd());
  else if (process.argv[2] === "restore") restore(process.cwd());
  else throw new Error("usage: publish.ts prepare | restore, in the folder of a package");
}

async function prepare(folder: string): Promise<void> {
  restore(folder);
  rmSync(join(folder, "dist"), { recursive: true, force: true });
  execFileSync(join(root, "node_modules/.bin/tsc"), ["-b", join(folder, "tsconfig.build.json")], { stdio: ["ignore", 2, 2] });
  for (const name of sharedFiles) {
    if (existsSync(join(root, name)) && !existsSync(join(folder, name))) copyFileSync(join(root, name), join(folder, name));
  }
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
  await bundle(folder, manifest.name);
  copyFileSync(join(folder, "package.json"), join(folder, sourceManifest));
  writeFileSync(join(folder, "package.json"), `${JSON.stringify(publishedManifest(manifest), undefined, 2)}\n`);
}

function restore(folder: string): void {
  if (!existsSync(join(folder, sourceManifest))) return;
  renameSync(join(folder, sourceManifest), join(folder, "package.json"));
  for (const name of sharedFiles) if (isCopy(join(folder, name), join(root, name))) rmSync(join(folder, name));
}

/** A package may have a README of its own; only what was copied here is removed again. */
function isCopy(file: string, original: string): boolean {
  return existsSync(file) && existsSync(original) && readFileSync(file).equals(readFileSync(original));
}

/** The manifest as its users need it: built files instead of sources, and nothing that only the checkout uses. */
export function publishedManifest(manifest: Manifest): Manifest {
  const { scripts: _scripts, devDependencies: _devDependencies, ...published } = manifest;
  if ("exports" in published) published.exports = builtTargets(published.exports);
  return published;
}

/** `./src/x.ts` under the condition "types" becomes `./dist/x.d.ts`, under any other `./dist/x.js`. */
function builtTargets(target: unknown, condition = "default"): unknown {
  if (typeof target === "string") return target.replace(/^\.\/src\/(.*)\.ts$/, `./dist/$1.${condition === "types" ? "d.ts" : "js"}`);
  if (typeof target !== "object" || target === null) return target;
  return Object.fromEntries(Object.entries(target).map(([key, value]) => [key, builtTargets(value, key)]));
}
