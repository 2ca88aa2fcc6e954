import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { realClock } from "../../src/base/clock.ts";
import type { DeathCause } from "../../src/node/death-cause.ts";
import { KernelKills } from "../../src/node/kernel-kills.ts";
import { OutputHub } from "../../src/node/output-hub.ts";
import { realLogDisk } from "../../src/node/output-log-disk.ts";
import { OutputLogDirectory } from "../../src/node/output-log-directory.ts";
import { realHostProbe } from "../../src/node/real-host-probe.ts";
import { RealWorkerSpawner } from "../../src/node/real-worker-spawner.ts";

const LINES = 2_000_000;

test("output: a worker that writes 100 MB is cut, counted exactly, logged within its cap, and costs its node little", async () => {
  const directory = mkdtempSync(join(tmpdir(), "raia-test-"));
  const logs = new OutputLogDirectory(realLogDisk, directory);
  let shown = 0;
  let dropped = 0;
  const hub = new OutputHub({
    clock: realClock,
    openLog: (workerId, stream) => logs.open(`${workerId}.${stream}`),
    deliver(_jobId, lines) {
      for (const { text } of lines) {
        const marker = /^\[(\d+) lines dropped/.exec(text);
        if (marker === null) shown++;
        else dropped += Number(marker[1]);
      }
    },
  });
  const spawner = new RealWorkerSpawner({ clock: realClock, probe: realHostProbe, kernelKills: new KernelKills(realClock, () => 0) });
  const dead = Promise.withResolvers<DeathCause>();
  hub.addWorker("w", { pid: 1, name: "flood", jobId: "j" });
  const source = `
    const chunk = ("x".repeat(49) + "\\n").repeat(1000);
    for (let index = 0; index < ${LINES / 1000}; index++) require("node:fs").writeSync(1, chunk);`;
  const before = process.cpuUsage();
  const beforeBytes = process.memoryUsage.rss();
  let peakBytes = 0;
  spawner.spawn(
    { command: process.execPath, args: ["-e", source], env: {} },
    {
      onOutput(stream, chunk) {
        hub.receive("w", stream, chunk);
        peakBytes = Math.max(peakBytes, process.memoryUsage.rss());
      },
      onDeath: dead.resolve,
    },
  );
  try {
    const cause = await dead.promise;
    hub.removeWorker("w");
    hub.endJob("j");
    const cpu = process.cpuUsage(before);
    const cpuMs = (cpu.user + cpu.system) / 1000;

    assert.deepEqual([cause.kind, cause.exitCode, cause.stderrTail], ["exit", 0, []]);
    assert.equal(shown + dropped, LINES);
    assert.ok(shown >= 10_000 && shown < 100_000, `${shown} lines shown`);
    assert.ok(cpuMs < 2000, `${cpuMs} ms of CPU`);
    assert.ok(peakBytes - beforeBytes < 100 << 20, `${(peakBytes - beforeBytes) >> 20} MiB more`);
    const files = readdirSync(directory);
    assert.ok(files.length <= 3);
    for (const file of files) assert.ok(statSync(join(directory, file)).size <= 22 << 20, file);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
