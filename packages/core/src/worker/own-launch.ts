import { type ReceiverLaunch, receiverLaunchFlags } from "../values/module-launch.ts";

/** With which flags, and where, workers start that can load what this process can. The directory is the one of now. */
export function ownLaunch(): ReceiverLaunch {
  return receiverLaunchFlags();
}
