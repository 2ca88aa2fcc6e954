import { storeUsage } from "@raia/core";
import { mebibytes, say, table } from "../print.ts";
import { asGuest } from "./connect.ts";

interface Usage {
  readonly capacityBytes: number;
  readonly usedBytes: number;
  readonly pinnedBytes: number;
  readonly spilledBytes: number;
  readonly topOwners: readonly { readonly ownerId: string; readonly bytes: number; readonly objects: number }[];
}

export async function memory(options: Readonly<Record<string, unknown>>): Promise<void> {
  await asGuest(options, async () => {
    const usage = (await storeUsage()) as Usage;
    say(
      `shared memory: ${mebibytes(usage.usedBytes)} of ${mebibytes(usage.capacityBytes)}, ${mebibytes(usage.pinnedBytes)} being read; on disk: ${mebibytes(usage.spilledBytes)}`,
    );
    if (usage.topOwners.length === 0) return;
    say("");
    say(
      table(
        ["owner", "objects", "bytes"],
        usage.topOwners.map(({ ownerId, objects, bytes }) => [ownerId.slice(0, 12), String(objects), mebibytes(bytes)]),
      ),
    );
  });
}
