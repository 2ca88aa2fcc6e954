import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { HostProbe } from "./host-probe.ts";

const MAX_COMMAND_OUTPUT_BYTES = 1 << 20; // A vendor tool prints a few KiB per device.

export const realHostProbe: HostProbe = {
  env: process.env,
  readFile(path) {
    try {
      return readFileSync(path, "latin1");
    } catch {
      return undefined; // Not there or not for us: to the caller the same thing, and named so in the interface.
    }
  },
  listDirectory(path) {
    try {
      return readdirSync(path).sort();
    } catch {
      return []; // As above.
    }
  },
  run(command, args, timeoutMs) {
    return new Promise((resolve) => {
      const options = { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: MAX_COMMAND_OUTPUT_BYTES } as const;
      execFile(command, args, options, (error, stdout) => resolve(error === null ? stdout : undefined));
    });
  },
  availableCpus: availableParallelism,
};
