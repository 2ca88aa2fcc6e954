import { type MissingProcess, type Observer, observeCluster } from "@raia/core/cluster";
import { note } from "./print.ts";

export interface AddressOption {
  readonly address?: string;
}

/** Runs `look` beside a running cluster. @throws {RaiaError} CLUSTER_NOT_FOUND */
export async function observe({ address }: AddressOption, look: (observer: Observer) => Promise<void>): Promise<void> {
  const observer = await observeCluster(address);
  try {
    await look(observer);
  } finally {
    await observer.close();
  }
}

export function tellMissing(missing: readonly MissingProcess[]): void {
  for (const { pid, kind, reason } of missing) note(`what process ${pid} (${kind}) owns is missing: ${reason}`);
}
