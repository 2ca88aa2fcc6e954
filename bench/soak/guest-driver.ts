/** Another driver on the cluster of the soak: joins, works, leaves. Its exit status tells whether its answers were right. */
import { get, init, put, remote, shutdown } from "@raia/core";

const [sessionDirectory = ""] = process.argv.slice(2);
await init({ address: sessionDirectory, logToDriver: false });
const double = remote((x: number) => 2 * x, { maxRetries: -1 });
const lengthOf = remote((bytes: Uint8Array) => bytes.byteLength, { maxRetries: -1 });
const bytes = put(new Uint8Array(500_000));
for (let round = 0; round < 5; round++) {
  const results = await get([...Array.from({ length: 20 }, (_, x) => double.remote(x)), lengthOf.remote(bytes)]);
  const expected = [...Array.from({ length: 20 }, (_, x) => 2 * x), 500_000];
  if (results.join() !== expected.join()) {
    process.stderr.write(`wrong: ${results.join()}\n`);
    process.exitCode = 1;
  }
}
await shutdown();
