/** Where the files of this library lie. Its programs are started as files, so they must be found beside its code. */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { RaiaError } from "./errors.ts";

/** Empty where a bundler made CommonJS of this. */
const { url: here } = import.meta as { readonly url?: string };
if (here === undefined) throw inBundle();

/** The URL of `src` or `dist`: every part of a package lies one level below it. */
export const ownFolder = new URL("../", here).href;

const ending = here.slice(here.lastIndexOf("."));

/** @param name from the folder on, without its ending: `.ts` in a checkout, `.js` in a package */
export function ownFile(name: string): URL {
  return new URL(`${name}${ending}`, ownFolder);
}

/** @throws {RaiaError} CLUSTER_START_FAILED when a bundler put this code elsewhere, without the programs */
export function checkProgramsAreHere(): void {
  const program = fileURLToPath(ownFile("bin/head-main"));
  if (!existsSync(program)) throw inBundle(program);
}

function inBundle(file?: string): RaiaError {
  return new RaiaError("CLUSTER_START_FAILED", {
    reason: "Raia is part of a bundle, and the programs that it starts are not there",
    file,
    wayOut: 'leave raia itself out of the bundle: --external:raia with esbuild, externals: ["raia"] with webpack',
  });
}
