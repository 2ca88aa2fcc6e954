/** What a control process is told by the node that starts it, through its environment. */
import { RaiaError } from "../base/errors.ts";

export interface ControlOptions {
  readonly sessionPath: string;
  /** It goes with this process. */
  readonly parentPid: number;
}

const VARIABLE = "RAIA_CONTROL_OPTIONS";

export function controlEnvironment(options: ControlOptions): Record<string, string> {
  return { [VARIABLE]: JSON.stringify(options) };
}

export function controlOptionsFrom(env: NodeJS.ProcessEnv): ControlOptions {
  const text = env[VARIABLE];
  if (text === undefined)
    throw new RaiaError("CLUSTER_START_FAILED", { reason: `${VARIABLE} is not set: the control plane is started by raia start` });
  try {
    return JSON.parse(text) as ControlOptions;
  } catch (cause) {
    throw new RaiaError("CLUSTER_START_FAILED", { variable: VARIABLE, reason: "it is not what starts a control plane" }, { cause });
  }
}
