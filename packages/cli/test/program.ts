/** Something to look at: a task that runs, one that waits for it, an actor, a large object, a placement group. Until it is interrupted. */
process.env["RAIA_RECORD_REF_CREATION_SITES"] = "1";
const { get, init, placementGroup, put, remote } = await import("@raia/core");

class Tally {
  #sum = 0;
  add(by: number): number {
    return (this.#sum += by);
  }
}

await init();
const quick = remote(function quick(x: number) {
  return x + 1;
});
const sleepy = remote(async function sleepy(x: number) {
  await new Promise((resolve) => setTimeout(resolve, 600_000));
  return x;
});
const tally = remote(Tally).options({ name: "hits" }).remote();
await get(tally.add.remote(1));
await get([quick.remote(1), quick.remote(2)]);
const large = put(new Float64Array(1 << 20));
await large.stored;
const long = sleepy.remote(1);
const after = quick.remote(long);
await placementGroup([{ memory: 1024 ** 2 }], { name: "team" }).ready();
process.once("SIGINT", () => process.exit(0));
process.stdout.write("ready\n");
await get([after, large]);
