/**
 * Runs seeds of the simulator:
 *
 *   npm run sim -- --seeds 10000 --start 1
 *
 * Without --start the seeds follow from the time, so each run takes fresh ones. A failing seed is printed as the command
 * that repeats it.
 */
import { parseArgs } from "node:util";
import { runSeed } from "./run-seed.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    start: { type: "string" },
    twice: { type: "boolean", default: false },
    verbose: { type: "boolean", default: false },
    "max-failures": { type: "string", default: "10" },
  },
});
const count = Number(values.seeds);
const start = values.start === undefined ? Date.now() % 2 ** 31 : Number(values.start);
const startedMs = performance.now();
let [failures, steps, deaths] = [0, 0, 0];
for (let seed = start; seed < start + count && failures < Number(values["max-failures"]); seed++) {
  const result = await runSeed(seed);
  steps += result.steps;
  deaths += result.deaths;
  if (values.verbose) console.log(result);
  if (values.twice && result.failure === undefined) {
    const again = await runSeed(seed);
    if (again.hash !== result.hash) {
      failures++;
      console.log(`seed ${seed} ran differently the second time: ${result.hash}, ${again.hash}`);
    }
  }
  if (result.failure === undefined) continue;
  failures++;
  console.log(
    `npm run sim -- --seeds 1 --start ${seed}\n  ${values.verbose ? result.failure.stack : result.failure.message.slice(0, 1500)}`,
  );
}
const seconds = (performance.now() - startedMs) / 1000;
console.log(
  `${count} seeds from ${start}: ${failures} failed; ${steps} steps, ${deaths} deaths, ${(count / seconds).toFixed(0)} seeds a second`,
);
process.exitCode = failures === 0 ? 0 : 1;
