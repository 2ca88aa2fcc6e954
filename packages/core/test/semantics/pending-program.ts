/** A million calls that wait, in a process of its own: what they take, and that it ends in good order. Run with --expose-gc. */
import { whenRaised } from "@raia/testing/fixtures/signals";
import { get, init, type ObjectRef, RaiaError, remote, shutdown } from "../../src/index.ts";

const [never = "", count = "0"] = process.argv.slice(2);
const COUNT = Number(count);

function usedBytes(): number {
  gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

await init({ address: "local", numCpus: 2, objectStoreMemory: 32 * 1024 * 1024, logToDriver: false });
const wait = remote(async () => whenRaised(never, 600_000));
await get(remote(() => 1).remote());
const before = usedBytes();
const refs: ObjectRef<void>[] = [];
for (let index = 0; index < COUNT; index++) refs.push(wait.remote());
const bytesEach = (usedBytes() - before) / COUNT;
await shutdown();
const last = await get(refs.at(-1) as ObjectRef<void>).then(
  () => "value",
  (error: unknown) => (RaiaError.is(error) ? error.code : String(error)),
);
console.log(JSON.stringify({ bytesEach, last }));
