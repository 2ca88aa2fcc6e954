/**
 * Starts and ends workers that are threads, as the node says over the channel that Node gives a child. It runs no user code
 * itself, and ends with the node.
 */
import { Worker } from "node:worker_threads";
import { ownFile } from "../base/own-place.ts";
import type { ThreadCommand, ThreadEnd } from "../node/thread-launcher.ts";
import { dieWithParent } from "../store/posix.ts";
import { printAtOnce } from "./output-at-once.ts";
import { writeFrames } from "./thread-output.ts";

const SIGKILL = 9;

const workerMain = ownFile("bin/worker-main");

export function runThreadHost(): void {
  printAtOnce();
  // Opened now: threads write to its descriptor, which must block by then.
  void process.stdout;
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
  const outputs = [forward(workerId, "o", thread.stdout), forward(workerId, "e", thread.stderr)];
  thread.on("error", (error: Error & { code?: string }) => {
    isOutOfMemory = error.code === "ERR_WORKER_OUT_OF_MEMORY";
    writeFrames("e", workerId, Buffer.from(`${error.stack ?? String(error)}\n`));
  });
  thread.on("exit", (exitCode) => {
    gone();
    const end: ThreadEnd = { exitCode, isOutOfMemory };
    // What it wrote comes before its end.
    void Promise.all(outputs).then(() => writeFrames("x", workerId, Buffer.from(JSON.stringify(end))));
  });
  return thread;
}

/** What a thread prints before it prints by itself. */
async function forward(workerId: string, kind: "o" | "e", from: NodeJS.ReadableStream): Promise<void> {
  for await (const chunk of from) writeFrames(kind, workerId, Buffer.from(chunk));
}

/** The flag is for the process; a thread has limits of its own. */
function heapLimitOf(execArgv: readonly string[]): number | undefined {
  const flag = execArgv.findLast((argument) => argument.startsWith("--max-old-space-size="));
  return flag === undefined ? undefined : Number(flag.split("=")[1]);
}
