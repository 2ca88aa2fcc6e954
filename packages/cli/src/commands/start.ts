import { startStanding } from "@raia/core/cluster";
import { fail, say } from "../print.ts";

export async function start(options: Readonly<Record<string, unknown>>): Promise<void> {
  const { numCpus, numGpus, memory, objectStoreMemory } = options as Record<string, number | undefined>;
  const { path, pid } = await startStanding({
    ...(numCpus !== undefined && { numCpus }),
    ...(numGpus !== undefined && { numGpus }),
    ...(memory !== undefined && { memory }),
    ...(objectStoreMemory !== undefined && { objectStoreMemory }),
    ...(options["resources"] !== undefined && { resources: resourcesOf(options["resources"] as string) }),
  });
  say(`Raia is running: process ${pid}, session ${path}`);
  say("Programs join it with RAIA_ADDRESS=auto. `raia status` shows it, `raia stop` ends it.");
}

function resourcesOf(text: string): Record<string, number> {
  try {
    return JSON.parse(text) as Record<string, number>;
  } catch {
    return fail(`--resources: not JSON: ${text}; write it as '{"name": 1}'`);
  }
}
