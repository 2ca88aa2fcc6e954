/** Options of tasks, checked and with their defaults, as the runtime wants them. */
import { RaiaError } from "../base/errors.ts";
import { parseResources, type ResourceOptions, type ResourceSet } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { ownLaunch } from "../worker/own-launch.ts";
import type { Traits } from "../worker/remote-values.ts";

export interface NormalTaskOptions {
  readonly name: string | undefined;
  readonly resources: ResourceSet;
  readonly numReturns: number | "streaming";
  readonly maxRetries: number;
  readonly retryExceptions: boolean | readonly string[];
  readonly maxCalls: number;
  readonly timeoutMs: number | undefined;
  readonly queueTimeoutMs: number | undefined;
  readonly generatorBackpressure: number | undefined;
  readonly isolation: "process" | "shared" | "thread";
  readonly envVars: Readonly<Record<string, string>>;
}

const DEFAULT_MAX_RETRIES = 3;

export function normalTaskOptions(options: Readonly<Record<string, unknown>>, traits: Traits | undefined): NormalTaskOptions {
  const { numCpus = 1, numGpus, memory, resources, acceleratorType } = options as ResourceOptions;
  const set = parseResources({
    numCpus,
    ...(numGpus !== undefined && { numGpus }),
    ...(memory !== undefined && { memory }),
    ...(resources && { resources }),
    ...(acceleratorType && { acceleratorType }),
  });
  const maxRetries = (options["maxRetries"] as number | undefined) ?? DEFAULT_MAX_RETRIES;
  const retry = options["retryExceptions"];
  const env = options["runtimeEnv"] as { envVars?: Record<string, string> } | undefined;
  if (typeof maxRetries !== "number") throw new RaiaError("INVALID_OPTION", { option: "maxRetries", value: String(maxRetries) });
  return {
    name: options["name"] as string | undefined,
    resources: set,
    numReturns: (options["numReturns"] as number | "streaming" | undefined) ?? (traits?.isGenerator ? "streaming" : 1),
    maxRetries: maxRetries < 0 ? -1 : maxRetries,
    retryExceptions: Array.isArray(retry) ? retry.map((Class: { name: string }) => Class.name) : retry === true,
    maxCalls: (options["maxCalls"] as number | undefined) ?? 0,
    timeoutMs: options["timeoutMs"] as number | undefined,
    queueTimeoutMs: options["queueTimeoutMs"] as number | undefined,
    generatorBackpressure: options["generatorBackpressure"] as number | undefined,
    isolation:
      (options["isolation"] as NormalTaskOptions["isolation"] | undefined) ??
      (Number(numCpus) < 1 && maxRetries !== 0 ? "shared" : "process"),
    envVars: env?.envVars ?? {},
  };
}

export function demandOf(options: NormalTaskOptions, name: string): Omit<WorkerDemand, "jobId"> {
  return {
    resources: options.resources,
    runtimeEnv: { hash: Object.keys(options.envVars).length === 0 ? "" : JSON.stringify(options.envVars), envVars: options.envVars },
    isolation: options.isolation,
    strategy: { kind: "DEFAULT" },
    launch: ownLaunch(),
    name,
    mayRerun: options.maxRetries !== 0,
  };
}
