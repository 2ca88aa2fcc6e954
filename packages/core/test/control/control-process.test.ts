/** A control process on a real socket and a real file, killed with -9 and started again. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { realClock } from "../../src/base/clock.ts";
import { actorSpec } from "../../src/control/control-fixture.ts";
import { controlEvents, controlService, type HostedActor, nodeControlService } from "../../src/messages/control.ts";
import { Endpoint } from "../../src/wire/endpoint.ts";
import { ipcTransport } from "../../src/wire/ipc-transport.ts";
import type { Infer } from "../../src/wire/schema.ts";
import type { Client } from "../../src/wire/service.ts";

const identity = { secret: "secret", pid: process.pid, address: "" };

function moduleUrl(path: string): string {
  return JSON.stringify(new URL(`../../src/${path}`, import.meta.url).href);
}

/** Starts a control process; resolves when it listens. */
async function startControl(t: TestContext, folder: string): Promise<ChildProcess> {
  const source = `
    import { realClock } from ${moduleUrl("base/clock.ts")};
    import { realRandom } from ${moduleUrl("base/random.ts")};
    import { ControlServer } from ${moduleUrl("control/control-server.ts")};
    import { SqliteRecordStore } from ${moduleUrl("control/sqlite-record-store.ts")};
    import { Endpoint } from ${moduleUrl("wire/endpoint.ts")};
    import { ipcTransport } from ${moduleUrl("wire/ipc-transport.ts")};
    const folder = ${JSON.stringify(folder)};
    const address = folder + "/" + process.pid + ".sock";
    const server = new ControlServer({ clock: realClock, random: realRandom, store: new SqliteRecordStore({ path: folder + "/control.db" }) });
    await server.load();
    const endpoint = new Endpoint(ipcTransport, { peerId: "control", pid: process.pid, address, secret: "secret" }, realClock, { connected: (peer) => server.attach(peer) });
    await endpoint.listen();
    console.log("listening");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "-e", source], { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => child.kill("SIGKILL"));
  const [output] = (await once(child.stdout, "data")) as [Buffer];
  assert.equal(output.toString(), "listening\n");
  return child;
}

interface Reached {
  readonly control: Client<typeof controlService>;
  readonly started: string[];
}

/** Dials as driver and node in one. */
async function reach(t: TestContext, folder: string, pid: number | undefined, hosted: Infer<typeof HostedActor>[]): Promise<Reached> {
  const started: string[] = [];
  const endpoint = new Endpoint(ipcTransport, { ...identity, peerId: "driver" }, realClock, {
    connected: (connection) => {
      // What is watched changes, and control says so; a test that asks again needs no word of it.
      connection.serve(controlEvents, { actorState: () => {} });
      connection.serve(nodeControlService, {
        startActor: ({ spec, incarnation }) => {
          started.push(`${spec.name} ${incarnation}`);
          return { status: "alive", address: "a", workerId: "w", pid: 1 };
        },
        stopActor: () => ({}),
        jobEnded: () => {},
        explainActor: () => ({ state: "", reasons: [] }),
      });
    },
  });
  t.after(() => endpoint.close());
  const connection = await endpoint.dial(join(folder, `${pid}.sock`));
  const control = connection.client(controlService);
  await control.registerNode({ nodeId: "n1", address: "n1", total: { CPU: 20_000 }, labels: {}, actors: hosted });
  return { control, started };
}

test("control process: what it acknowledged survives kill -9, and what runs is not started again", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "raia-control-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const first = await startControl(t, folder);
  const { control, started } = await reach(t, folder, first.pid, []);
  const { jobId } = await control.registerJob({ driverId: "driver", driverPid: 1, entrypoint: "", metadata: {} });
  const kept = actorSpec(jobId, "driver", { name: "kept", detached: true });
  const gone = actorSpec(jobId, "driver", { name: "gone", detached: true, maxRestarts: -1 });
  for (const spec of [kept, gone]) await control.createActor({ spec, getIfExists: false });
  await control.kvPut({ namespace: "n", key: "k", value: Buffer.from("v"), overwrite: true });
  for (const spec of [kept, gone]) await aliveOf(control, spec.actorId);
  // A reply to a later write: all that was written before it is durable too.
  await control.kvPut({ namespace: "n", key: "last", value: Buffer.from(""), overwrite: true });
  assert.deepEqual(started, ["kept 1", "gone 1"]);

  first.kill("SIGKILL");
  await once(first, "exit");
  const second = await startControl(t, folder);
  const again = await reach(t, folder, second.pid, [{ actorId: kept.actorId, incarnation: 1 }]);

  assert.equal((await again.control.registerJob({ driverId: "driver", driverPid: 1, entrypoint: "", metadata: {} })).jobId, jobId);
  assert.equal(Buffer.from((await again.control.kvGet({ namespace: "n", key: "k" })).value ?? []).toString(), "v");
  for (const { actorId, name } of [kept, gone]) {
    assert.equal((await again.control.getActorByName({ name: name ?? "", namespace: "space" })).actorId, actorId);
    await aliveOf(again.control, actorId);
  }
  assert.deepEqual(again.started, ["gone 2"]);
});

/** Asks until it is alive; each answer takes a turn of control, so this ends as soon as control has come that far. */
async function aliveOf(control: Client<typeof controlService>, actorId: string): Promise<void> {
  for (;;) {
    const { view } = await control.watchActor({ actorId });
    assert.notEqual(view.state, "dead");
    if (view.state === "alive") return;
  }
}
