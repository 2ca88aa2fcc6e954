/**
 * The picture's font. Drawing must not depend on what is installed on a machine (many have no font at all), so the font comes
 * from an npm package: to the renderer as files in a directory of its own, to browsers inside the SVG.
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { openTypeOf } from "./woff.ts";

const weights = [400, 600, 700] as const;

/** CSS that carries the font; `undefined` when the package is not installed, and the machine's own fonts must do. */
export function fontCss(): string | undefined {
  const files = fontFiles("woff2");
  return files
    ?.map(
      ({ weight, bytes }) =>
        `@font-face{font-family:Inter;font-weight:${weight};src:url(data:font/woff2;base64,${bytes.toString("base64")})}`,
    )
    .join("");
}

/**
 * Makes the font known to the renderer of this process. To be called before the renderer is loaded, which reads its configuration once.
 *
 * @param directory an empty directory, to be kept while the renderer runs
 */
export function installFont(directory: string): void {
  const files = fontFiles("woff");
  if (files === undefined) return;
  mkdirSync(directory, { recursive: true });
  // The renderer reads OpenType files only.
  for (const { weight, bytes } of files) writeFileSync(join(directory, `inter-${weight}.ttf`), openTypeOf(bytes));
  const configuration = join(directory, "fonts.conf");
  writeFileSync(configuration, `<?xml version="1.0"?><fontconfig><dir>${directory}</dir><cachedir>${directory}</cachedir></fontconfig>`);
  process.env["FONTCONFIG_FILE"] = configuration;
}

function fontFiles(format: "woff" | "woff2"): { weight: number; bytes: Buffer }[] | undefined {
  try {
    const resolve = createRequire(import.meta.url).resolve;
    return weights.map((weight) => ({
      weight,
      bytes: readFileSync(resolve(`@fontsource/inter/files/inter-latin-${weight}-normal.${format}`)),
    }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
