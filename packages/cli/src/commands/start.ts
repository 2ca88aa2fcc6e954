import { RaiaError, type StandingCluster, startStanding, stopStanding } from "@raia/core/cluster";
import { fail, goOnWithoutReaders, misuse, say } from "../print.ts";

export interface StartOptions {
  readonly head?: boolean;
  readonly numCpus?: number;
  readonly numGpus?: number;
  readonly memory?: number;
  readonly resources?: string;
  readonly labels?: Record<string, string>;
  readonly objectStoreMemory?: number;
  readonly spillDirectory?: string;
  readonly block?: boolean;
}

/** @param head is always there: it is what the command line asks for */
export async function start({ block = false, head: _head, resources, ...options }: StartOptions): Promise<void> {
  if (block) goOnWithoutReaders();
  const interruption = new AbortController();
  const interrupt = (): void => interruption.abort();
  for (const name of ["SIGINT", "SIGTERM"] as const) process.on(name, interrupt);
  const cluster = await startStanding({
    ...options,
    ...(resources !== undefined && { resources: resourcesOf(resources) }),
    signal: interruption.signal,
  }).catch(tellOption);
  say(`Raia is running: process ${cluster.pid}, session ${cluster.path}`);
  say(`Logs are in ${cluster.logsPath}`);
  say("");
  say("Programs of this user join it by themselves, or with RAIA_ADDRESS=auto where they must.");
  say("raia status shows it, raia stop ends it.");
  if (block) await stay(cluster, interruption.signal);
}

/** An option that the cluster refuses is told by the name that it has here. */
function tellOption(error: unknown): never {
  if (!RaiaError.is(error, "INVALID_OPTION")) throw error;
  const { option, value, rule } = error.facts as { readonly [fact: string]: string };
  const [name = "", ...path] = `${option}`.split(".");
  const flag = `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  return misuse([flag, ...path, `${value}: ${rule?.replace(`${option} `, "")}`].join(" "));
}

async function stay(cluster: StandingCluster, signal: AbortSignal): Promise<void> {
  // The head runs by itself; this process has to be kept here.
  const handle = setInterval(() => {}, 2 ** 30);
  const interrupted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  const end = await Promise.race([cluster.ended, interrupted]);
  clearInterval(handle);
  if (end !== undefined) fail(`the head ended: ${end}; its log is in ${cluster.logsPath}`);
  await stopStanding(cluster);
  say(`Stopped process ${cluster.pid}, session ${cluster.path}`);
}

function resourcesOf(text: string): Record<string, number> {
  try {
    const resources: unknown = JSON.parse(text);
    if (typeof resources === "object" && resources !== null && !Array.isArray(resources)) return resources as Record<string, number>;
  } catch {
    // Told below, with all else that is no such record.
  }
  return misuse(`--resources ${text}: not a JSON object; write it as '{"name": 1}'`);
}
