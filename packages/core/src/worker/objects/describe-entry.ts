import { shortId } from "../../base/ids.ts";
import type { ObjectEntry } from "./object-entry.ts";

/** An object, for people: what makes it, and the id under which lists show it. */
export function describeEntry(entry: ObjectEntry): string {
  return `${entry.site === "" ? "an object" : entry.site} (${shortId(entry.table.idOf(entry))}-${entry.sequence.toString(16)})`;
}
