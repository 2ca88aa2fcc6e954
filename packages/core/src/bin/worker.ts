/** Wires a worker from its parts. */
import { existsSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { isMainThread } from "node:worker_threads";
import { realClock } from "../base/clock.ts";
import { realFinalizers } from "../base/finalizers.ts";
import { joinSessionDirectory } from "../base/session-directory.ts";
import { readSecret } from "../base/session-secret.ts";
import { SPIN_MS } from "../base/spinner.ts";
import { DirectoryDisk } from "../store/disk.ts";
import { FileArena } from "../store/file-arena.ts";
import { dieWithParent } from "../store/posix.ts";
import { SharedArena } from "../store/shared-arena.ts";
import { SETUP_FAILED_EXIT_CODE } from "../node/start-failures.ts";
import { ipcTransport } from "../wire/ipc-transport.ts";
import { installRemoteValues } from "../api/remote-value-codecs.ts";
import { enableCollection } from "./collection.ts";
import { printAtOnce } from "./output-at-once.ts";
import { runSetupHook } from "./setup-hook.ts";
import { printThroughProcess } from "./thread-output.ts";
import { setProcessRuntime } from "../worker/current-runtime.ts";
import { WorkerRuntime } from "../worker/worker-runtime.ts";

const SIGKILL = 9;

export async function runWorker(): Promise<void> {
  const {
    RAIA_SESSION: sessionPath = "",
    RAIA_CONTROL: controlAddress = "",
    RAIA_WORKER_ID: workerId = "",
    RAIA_PARENT_PID: parentPid = "",
    RAIA_SETUP_HOOK: setupHook,
  } = process.env;
  enableCollection();
  if (isMainThread) printAtOnce();
  else printThroughProcess(workerId);
  if (isMainThread && !dieWithParent(SIGKILL, Number(parentPid))) process.exit(0);
  const session = joinSessionDirectory({ env: process.env }, sessionPath);
  // A promise that nobody awaits any more must not take the tasks beside it along.
  process.on("unhandledRejection", (reason) => {
    process.stderr.write(`unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}\n`);
  });
  const address = session.socketPath(`w-${workerId.slice(0, 16)}`);
  const head = session.socketPath("head");
  const runtime = new WorkerRuntime({
    kind: "worker",
    identity: { peerId: workerId, pid: process.pid, address, secret: readSecret(session.path) },
    cluster: whenListening(head).then(() => ({ nodeAddress: head, controlAddress })),
    transport: ipcTransport,
    clock: realClock,
    spinMs: SPIN_MS,
    finalizers: realFinalizers(),
    openArena: ({ arenaPath, arenaSlot }) => (isMainThread ? SharedArena : FileArena).open({ path: arenaPath, slot: arenaSlot }),
    openSpillDisk: (directory) => new DirectoryDisk(directory),
    showOutput: () => {},
    keepAlive: () => {},
    nodeLost: () => process.exit(0),
  });
  installRemoteValues(runtime);
  setProcessRuntime(runtime);
  if (setupHook !== undefined) await runSetupHook(setupHook).catch(setupFailed);
  await runtime.join(undefined);
  // A worker is ended, it does not exit: what it has compiled would be lost to the next one.
  setTimeout(() => flushCompileCache?.(), FLUSH_AFTER_MS).unref();
}

/** Past the first task, which is in a hurry. */
const FLUSH_AFTER_MS = 500;

/** Its node reads the code, and whoever waits for the worker the text. */
function setupFailed(error: unknown): never {
  process.stderr.write(`the setup hook failed: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(SETUP_FAILED_EXIT_CODE);
}

const LISTEN_POLL_MS = 2;
const LISTEN_POLLS = 5000;

/** The first worker may be up before its head listens. */
async function whenListening(path: string): Promise<void> {
  for (let poll = 0; poll < LISTEN_POLLS && !existsSync(path); poll++) await new Promise((resolve) => setTimeout(resolve, LISTEN_POLL_MS));
}
