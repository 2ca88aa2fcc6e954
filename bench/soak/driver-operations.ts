/** Further drivers that join the cluster: they leave, or are shot. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { randomBelow } from "@raia/core/internal";
import type { Operation } from "./operation.ts";

const program = fileURLToPath(new URL("guest-driver.ts", import.meta.url));

export const driverOperations: readonly Operation[] = [
  {
    name: "another driver",
    weight: 0.15,
    async run({ sessionDirectory }) {
      const child = spawn(process.execPath, [program, sessionDirectory], { stdio: ["ignore", "ignore", "pipe"] });
      let said = "";
      child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
      const [code] = (await once(child, "close")) as [number | null];
      assert.equal(code, 0, said);
    },
  },
  {
    name: "another driver that is shot",
    weight: 0.1,
    async run({ sessionDirectory, random }) {
      const child = spawn(process.execPath, [program, sessionDirectory], { stdio: "ignore" });
      const shot = setTimeout(() => child.kill("SIGKILL"), randomBelow(random, 1500));
      await once(child, "close");
      clearTimeout(shot);
    },
  },
];
