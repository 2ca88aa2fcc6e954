/**
 * Starts and ends workers that are threads, as the node says over the channel that Node gives a child. It runs no user code
 * itself, and ends with the node.
 */
import { Worker } from "node:worker_threads";
import type { ThreadCommand, ThreadEvent } from "../node/thread-launcher.ts";
import { dieWithParent } from "../store/posix.ts";
import { printAtOnce } from "./output-at-once.ts";

const SIGKILL = 9;

const here = import.meta.url;
const workerMain = new URL(`../bin/worker-main${here.slice(here.lastIndexOf("."))}`, here);

export function runThreadHost(): void {
  printAtOnce();
  if (!dieWithParent(SIGKILL, Number(process.env["RAIA_PARENT_PID"]))) process.exit(0);
  const threads = new Map<string, Worker>();
  process.on("message", ({ kind, workerId }: ThreadCommand) => {
    if (kind === "start")
      threads.set(
        workerId,
        startThread(workerId, () => threads.delete(workerId)),
      );
    else void threads.get(workerId)?.terminate();
  });
  process.on("disconnect", () => process.exit(0));
}

function startThread(workerId: string, gone: () => void): Worker {
  const heapMiB = heapLimitOf(process.execArgv);
  const thread = new Worker(workerMain, {
    env: { ...process.env, RAIA_WORKER_ID: workerId },
    stdout: true,
    stderr: true,
    ...(heapMiB !== undefined && { resourceLimits: { maxOldGenerationSizeMb: heapMiB } }),
  });
  let isOutOfMemory = false;
  const outputs = [forward(workerId, "stdout", thread.stdout), forward(workerId, "stderr", thread.stderr)];
  thread.on("error", (error: Error & { code?: string }) => {
    isOutOfMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
    void send({ kind: "output", workerId, stream: "stderr", base64: Buffer.from(`${error.stack ?? String(error)}\n`).toString("base64") });
  });
  thread.on("exit", (exitCode) => {
    gone();
    // What it wrote comes before its end.
    void Promise.all(outputs).then(() => send({ kind: "ended", workerId, exitCode, isOutOfMemory }));
  });
  return thread;
}

/** One chunk at a time: a thread that writes faster than the node reads waits. */
async function forward(workerId: string, stream: "stdout" | "stderr", from: NodeJS.ReadableStream): Promise<void> {
  for await (const chunk of from) await send({ kind: "output", workerId, stream, base64: Buffer.from(chunk).toString("base64") });
}

function send(event: ThreadEvent): Promise<void> {
  // Without a node there is nobody to tell; this process is about to end.
  return new Promise((resolve) => (process.connected ? process.send?.(event, () => resolve()) : resolve()));
}

/** The flag is for the process; a thread has limits of its own. */
function heapLimitOf(execArgv: readonly string[]): number | undefined {
  const flag = execArgv.findLast((argument) => argument.startsWith("--max-old-space-size="));
  return flag === undefined ? undefined : Number(flag.split("=")[1]);
}
