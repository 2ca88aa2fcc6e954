/** What a head is told by whoever starts it, through its environment. */
import { RaiaError } from "../base/errors.ts";
import type { ResourceOptions } from "../base/resources.ts";

export interface HeadOptions {
  /** Made by whoever starts the head; absent when it stands by itself and makes its own. */
  readonly sessionPath: string | undefined;
  /** Set when the head goes with the process that started it. */
  readonly parentPid: number | undefined;
  readonly readyDescriptor: number | undefined;
  /** Bytes of the object arena. Default: 30 % of memory. */
  readonly objectStoreMemory: number | undefined;
  readonly spillDirectory: string | undefined;
  readonly prestart: number | undefined;
  readonly resources: ResourceOptions;
  /** How workers start unless a job says otherwise. */
  readonly launch: { readonly execArgv: readonly string[]; readonly cwd: string };
}

const VARIABLE = "RAIA_HEAD_OPTIONS";

export function headEnvironment(options: HeadOptions): Record<string, string> {
  return { [VARIABLE]: JSON.stringify(options) };
}

export function headOptionsFrom(env: NodeJS.ProcessEnv): HeadOptions {
  const text = env[VARIABLE];
  if (text === undefined)
    throw new RaiaError("CLUSTER_START_FAILED", { reason: `${VARIABLE} is not set: the head is started by init() or raia start` });
  return JSON.parse(text) as HeadOptions;
}
