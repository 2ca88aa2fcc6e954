/** Prints how long so many tasks take that are submitted at once, and what each takes of the driver while it is queued. */
import { get, remote, shutdown } from "@raia/core";

const count = Number(process.argv[2]);
const nothing = remote(() => 1);
await get(nothing.remote());
const residentBefore = process.memoryUsage.rss();
const start = performance.now();
const refs = Array.from({ length: count }, () => nothing.remote());
const bytesEach = (process.memoryUsage.rss() - residentBefore) / count;
await get(refs);
const totalMs = performance.now() - start;
await shutdown();
process.stdout.write(JSON.stringify({ totalMs, bytesEach }));
