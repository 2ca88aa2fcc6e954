/** Writes the picture as SVG and PNG. */

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Airport } from "../airports.ts";
import type { Answer } from "../answer.ts";
import { fontCss, installFont } from "./font.ts";
import { stateRings, type Topology } from "./outlines.ts";
import { drawPicture } from "./picture.ts";

export type PictureFiles = { readonly svg: string; readonly png: string };

/**
 * @param statesPath the TopoJSON file with the states' outlines
 * @param outDirectory where the files go; must be there
 */
export async function writePicture(
  answer: Answer,
  places: ReadonlyMap<string, Airport>,
  statesPath: string,
  outDirectory: string,
): Promise<PictureFiles> {
  const topology = JSON.parse(await readFile(statesPath, "utf8")) as Topology;
  const picture = { answer, places, stateRings: stateRings(topology) };
  const files = { svg: join(outDirectory, "flights.svg"), png: join(outDirectory, "flights.png") };
  await writeFile(files.svg, drawPicture({ ...picture, fontCss: fontCss() }));
  const fonts = await mkdtemp(join(tmpdir(), "flights-fonts-"));
  try {
    installFont(fonts);
    // Loaded here and not above, since it looks for fonts as it is loaded.
    const { default: sharp } = await import("sharp");
    await sharp(Buffer.from(drawPicture(picture)))
      .png()
      .toFile(files.png);
  } finally {
    await rm(fonts, { recursive: true, force: true });
  }
  return files;
}
