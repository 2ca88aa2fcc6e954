/** Cancelling and time limits. */
import assert from "node:assert/strict";
import { cancel, get, RaiaError, remote, runtimeContext } from "@raia/core";
import { randomBelow } from "@raia/core/internal";
import { type Operation, outcome, pause } from "./operation.ts";

const obedient = remote(
  async (ms: number) => {
    const { signal } = runtimeContext();
    await Promise.race([pause(ms), new Promise((resolve) => signal.addEventListener("abort", resolve))]);
    return "done";
  },
  { maxRetries: -1 },
);
const busy = remote(
  (ms: number) => {
    const untilMs = performance.now() + ms;
    while (performance.now() < untilMs);
    return "done";
  },
  { maxRetries: -1 },
);
const parent = remote((ms: number) => get(obedient.remote(ms)), { maxRetries: -1 });

export const limitOperations: readonly Operation[] = [
  {
    name: "cancel",
    weight: 3,
    async run(context) {
      const { random } = context;
      const refs = Array.from({ length: 4 }, (_, index) => (index % 2 === 0 ? obedient : parent).remote(10_000));
      await pause(randomBelow(random, 20));
      for (const ref of refs) cancel(ref);
      for (const ref of refs) await assert.rejects(get(ref), (error) => RaiaError.is(error, "TASK_CANCELLED"));
    },
  },
  {
    name: "cancel by a signal",
    weight: 1,
    async run(context) {
      const controller = new AbortController();
      const ref = obedient.options({ signal: controller.signal }).remote(randomBelow(context.random, 10));
      setTimeout(() => controller.abort(), randomBelow(context.random, 10));
      const ended = await outcome(context, ref, ["TASK_CANCELLED"]);
      if ("value" in ended) assert.equal(ended.value, "done");
    },
  },
  {
    name: "cancel by force",
    weight: 0.3,
    async run({ random }) {
      const ref = busy.remote(20_000);
      await pause(randomBelow(random, 100));
      cancel(ref, { force: true });
      await assert.rejects(get(ref), (error) => RaiaError.is(error, "TASK_CANCELLED"));
    },
  },
  {
    name: "timeoutMs",
    weight: 1,
    async run() {
      const ref = obedient.options({ timeoutMs: 20 }).remote(10_000);
      await assert.rejects(get(ref), (error) => RaiaError.is(error, "TASK_TIMEOUT"));
    },
  },
  {
    name: "timeoutMs of a busy loop",
    weight: 0.3,
    async run() {
      const ref = busy.options({ timeoutMs: 30 }).remote(20_000);
      await assert.rejects(get(ref), (error) => RaiaError.is(error, "TASK_TIMEOUT"));
    },
  },
  {
    name: "queueTimeoutMs",
    weight: 1,
    async run(context) {
      const refs = Array.from({ length: 8 }, () => obedient.options({ queueTimeoutMs: 10 }).remote(20));
      for (const ref of refs) {
        const ended = await outcome(context, ref, ["QUEUE_TIMEOUT"]);
        if ("value" in ended) assert.equal(ended.value, "done");
      }
    },
  },
  {
    name: "timeoutMs of get",
    weight: 1,
    async run() {
      const ref = obedient.remote(100);
      await assert.rejects(get(ref, { timeoutMs: 5 }), (error) => RaiaError.is(error, "GET_TIMEOUT"));
      assert.equal(await get(ref), "done");
    },
  },
];
