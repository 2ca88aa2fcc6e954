import type { ObjectState } from "@raia/core/cluster";
import { type AddressOption, observe, tellMissing } from "../observe.ts";
import { type Format, plural, say, sayJson, showBytes, table } from "../print.ts";

export interface MemoryOptions extends AddressOption {
  readonly limit: number;
  readonly format: Format;
}

export function memory({ limit, format, ...options }: MemoryOptions): Promise<void> {
  return observe(options, async ({ state }) => {
    const [stores, workers, { rows, total, missing }] = await Promise.all([state.storeUsage(), state.workers(), state.objects({ limit })]);
    const groups = groupObjects(rows);
    if (format === "json") {
      tellMissing(missing);
      return sayJson({ stores, processes: workers, objects: groups, total });
    }
    for (const { usage } of stores) {
      const { usedBytes, capacityBytes, pinnedBytes, spilledBytes, diskIsFull } = usage;
      say(`shared memory: ${showBytes(usedBytes)} of ${showBytes(capacityBytes)}, ${showBytes(pinnedBytes)} being read`);
      say(`on disk: ${showBytes(spilledBytes)}${diskIsFull ? "; THE DISK IS FULL" : ""}`);
    }
    say("");
    say("processes");
    say(
      table(
        ["pid", "kind", "memory", "job"],
        workers.map(({ pid, kind, residentBytes, jobId }) => [
          String(pid),
          kind,
          residentBytes === undefined ? "" : showBytes(residentBytes),
          jobId,
        ]),
      ),
    );
    say("");
    tellMissing(missing);
    if (rows.length === 0) return say("no objects");
    say(`${plural(total, "object")}, by owner and by where they were made`);
    say(
      table(
        ["owner", "objects", "with owner", "shared", "on disk", "pending", "refs", "borrowers", "pins", "made by"],
        groups.map((group) => [
          group.ownerPid === undefined ? "?" : String(group.ownerPid),
          String(group.objects),
          showBytes(group.inlineBytes),
          showBytes(group.storedBytes),
          showBytes(group.spilledBytes),
          String(group.pending),
          String(group.handles),
          String(group.borrowers),
          String(group.pins),
          group.site,
        ]),
      ),
    );
    if (groups.some(({ site }) => site === "put")) {
      say("");
      say("RAIA_RECORD_REF_CREATION_SITES=1 in a program tells its puts apart by line.");
    }
  });
}

interface Group {
  readonly ownerPid: number | undefined;
  readonly site: string;
  objects: number;
  inlineBytes: number;
  storedBytes: number;
  spilledBytes: number;
  pending: number;
  handles: number;
  borrowers: number;
  pins: number;
}

/** The group with the most bytes first. */
function groupObjects(objects: readonly ObjectState[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { ownerPid, site, state, bytes, handles, borrowers, pins } of objects) {
    const key = `${ownerPid} ${site}`;
    const empty = { objects: 0, inlineBytes: 0, storedBytes: 0, spilledBytes: 0, pending: 0, handles: 0, borrowers: 0, pins: 0 };
    const group = groups.get(key) ?? { ownerPid, site, ...empty };
    groups.set(key, group);
    group.objects++;
    group.handles += handles;
    group.borrowers += borrowers;
    group.pins += pins;
    if (state === "pending") group.pending++;
    else if (state === "stored") group.storedBytes += bytes;
    else if (state === "spilled") group.spilledBytes += bytes;
    else group.inlineBytes += bytes;
  }
  const size = (group: Group): number => group.inlineBytes + group.storedBytes + group.spilledBytes;
  return [...groups.values()].sort((a, b) => size(b) - size(a));
}
