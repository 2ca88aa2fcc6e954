/** A driver in a process of its own, for tests that end it. Arguments: what it does, and a path for its signals. */
import { raise, whenRaised } from "@raia/testing/fixtures/signals";
import { get, getActor, init, kill, put, RaiaError, remote, shutdown } from "../../src/index.ts";

const [what = "", path = ""] = process.argv.slice(2);
const { sessionDirectory } = await init({ address: "local", numCpus: 2, objectStoreMemory: 32 * 1024 * 1024 });

class Actor {
  pid(): number {
    return process.pid;
  }
}

const actor = remote(Actor).remote();
const kept = put(new Uint8Array(8 * 1024 * 1024));
const task = remote(async (until: string) => whenRaised(until)).remote(`${path}-never`);
const pids = await get([actor.pid.remote(), remote(() => process.pid).remote()]);
process.stdout.write(`${JSON.stringify({ sessionDirectory, pids })}\n`);
raise(path);

switch (what) {
  case "wait":
    await get(task).catch(() => {});
    break;
  case "throw":
    throw new Error("the program failed");
  case "exit":
    process.exit(7);
    break;
  case "shutdown":
    await shutdown();
    break;
  case "submit and shut down": {
    const late = get(remote(() => 1, { resources: { never: 1 } }).remote()).catch((error: unknown) => error);
    await shutdown();
    process.exitCode = RaiaError.is(await late, "SHUTTING_DOWN") ? 0 : 9;
    break;
  }
  case "lose": {
    const isLost = (error: unknown): boolean => RaiaError.is(error, "CLUSTER_LOST");
    const thrownBy = (run: () => unknown): unknown => {
      try {
        return run();
      } catch (error) {
        return error;
      }
    };
    const underWay = await get(task).catch((error: unknown) => error);
    const later = thrownBy(() => remote(() => 1).remote());
    const call = thrownBy(() => actor.pid.remote());
    await init({ address: "local", numCpus: 1 });
    const again = await get(remote(() => 1).remote());
    const oldHandle = thrownBy(() => actor.pid.remote());
    const killed = await kill(actor).catch((error: unknown) => error);
    await shutdown();
    process.exitCode = [underWay, later, call, oldHandle, killed].every(isLost) && again === 1 ? 0 : 9;
    break;
  }
  case "lose what it asks for": {
    const head = await get(remote(() => process.ppid).remote());
    // What is asked from now on is not answered.
    process.kill(head, "SIGSTOP");
    const asked = [get(remote(() => 2).remote()), get(remote(Actor).remote().pid.remote()), getActor("any"), kill(actor)];
    process.kill(head, "SIGKILL");
    const outcomes = await Promise.allSettled(asked);
    process.exitCode = outcomes.every(
      ({ status, reason }: { status: string; reason?: unknown }) => status === "rejected" && RaiaError.is(reason, "CLUSTER_LOST"),
    )
      ? 0
      : 9;
    if (process.exitCode !== 0) console.error(outcomes);
    break;
  }
  case "block": {
    // A minute of computing, as far as anybody can tell.
    for (;;) if (kept === undefined) break;
    break;
  }
}
