/** What a head is told by whoever starts it, through its environment. */
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { RaiaError } from "../base/errors.ts";
import type { Labels } from "../base/labels.ts";
import type { ResourceOptions } from "../base/resources.ts";

export interface HeadOptions {
  /** Made by whoever starts the head. */
  readonly sessionPath: string;
  /** The head takes the session over and outlives whoever started it. */
  readonly standing: boolean;
  /** Set when the head goes with the process that started it. */
  readonly parentPid: number | undefined;
  readonly readyDescriptor: number | undefined;
  /** Bytes of the object arena. Default: 30 % of memory. */
  readonly objectStoreMemory: number | undefined;
  readonly spillDirectory: string | undefined;
  /** Share of memory above which a worker is ended, 0 to 1. Default 0.95. */
  readonly memoryKillAbove: number | undefined;
  readonly prestart: number | undefined;
  readonly resources: ResourceOptions;
  readonly labels: Labels;
  /** How workers start unless a job says otherwise, and where: the head itself leaves that directory. */
  readonly launch: { readonly execArgv: readonly string[]; readonly cwd: string };
}

const VARIABLE = "RAIA_HEAD_OPTIONS";

/**
 * Variables for a head that is to be started. Compiled code is kept from the very first file on: in a checkout that file is
 * TypeScript, and stripping its types would load a compiler of 50 MB into each process.
 */
export function headEnvironment(options: HeadOptions): Record<string, string> {
  const { RAIA_TMPDIR: root } = process.env;
  return {
    // Relative to here: workers stand elsewhere.
    ...(root && { RAIA_TMPDIR: resolve(root) }),
    NODE_COMPILE_CACHE: process.env["NODE_COMPILE_CACHE"] ?? join(tmpdir(), "node-compile-cache"),
    [VARIABLE]: JSON.stringify(options),
  };
}

export function headOptionsFrom(env: NodeJS.ProcessEnv): HeadOptions {
  const text = env[VARIABLE];
  if (text === undefined)
    throw new RaiaError("CLUSTER_START_FAILED", { reason: `${VARIABLE} is not set: the head is started by init() or raia start` });
  try {
    return JSON.parse(text) as HeadOptions;
  } catch (cause) {
    throw new RaiaError("CLUSTER_START_FAILED", { variable: VARIABLE, reason: "it is not what starts a head" }, { cause });
  }
}
