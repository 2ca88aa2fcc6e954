/** The same inside a worker thread, which has an inspector of its own. */
import { once } from "node:events";
import { isMainThread, Worker } from "node:worker_threads";
import { finish, refused, trip } from "../functions/trip.ts";
import { double } from "./modules/live.ts";

if (isMainThread) {
  const worker = new Worker(new URL(import.meta.url));
  await once(worker, "exit");
} else {
  const base = 3;
  let written = 0;
  const bump = (): number => ++written;
  await trip("a constant and an import", (x: number) => double(x) + base, 2);
  await trip("an exported function", double, 2);
  await trip("a written variable", () => [bump(), bump(), written]);
  const promise = Promise.resolve();
  refused("a promise", () => promise, { reason: "promise" });
  finish();
}
