/** Prints how long a fresh process takes to import the engine, from there to its first task, and to twenty actors. */
const importStart = performance.now();
const { get, init, remote, shutdown } = await import("@raia/core");
const importMs = performance.now() - importStart;
const start = performance.now();
await init();
await get(remote(() => 1).remote());
const initMs = performance.now() - start;
class Nothing {
  ready(): boolean {
    return true;
  }
}
const actorStart = performance.now();
const Actor = remote(Nothing);
const actors = Array.from({ length: 20 }, () => Actor.options({ numCpus: 0 }).remote());
await get(actors.map((actor) => actor.ready.remote()));
const actorsMs = performance.now() - actorStart;
await shutdown();
process.stdout.write(JSON.stringify({ import: importMs, init: initMs, actors: actorsMs }));
