/** A program whose actors have something to do at their end. Arguments: how it ends, and a path for what they note. */
import { note } from "@raia/testing/fixtures/signals";
import { exitActor, get, init, remote, shutdown } from "../../src/index.ts";

const [how = "", path = ""] = process.argv.slice(2);

class Resource {
  readonly #path: string;
  readonly #name: string;
  constructor(path: string, name: string) {
    this.#path = path;
    this.#name = name;
  }
  touch(): void {}
  quit(): void {
    exitActor();
  }
  async [Symbol.asyncDispose](): Promise<void> {
    note(this.#path, `${this.#name} begins`);
    // Several turns and a timer: nothing that a process could do on its way out.
    await new Promise((resolve) => setTimeout(resolve, 50));
    note(this.#path, `${this.#name} ends`);
  }
}

class Endless extends Resource {
  override async [Symbol.asyncDispose](): Promise<void> {
    await new Promise(() => {});
  }
}

await init({ address: "local", numCpus: 2 });
const first = remote(Resource).remote(path, "unnamed");
await get(first.touch.remote());

switch (how) {
  case "await using": {
    {
      await using mine = first;
      // Its call is still under way when the block is left.
      mine.touch.remote();
    }
    note(path, "block left");
    process.exit(0);
    break;
  }
  case "shutdown": {
    const named = remote(Resource, { name: "named" }).remote(path, "named");
    await get(named.touch.remote());
    await shutdown();
    note(path, "shut down");
    break;
  }
  case "end": {
    const named = remote(Resource, { name: "named" }).remote(path, "named");
    await get(named.touch.remote());
    break;
  }
  case "exitActor":
    await get(first.quit.remote());
    break;
  case "endless": {
    await get(remote(Endless, { name: "endless" }).remote(path, "endless").touch.remote());
    await shutdown();
    note(path, "shut down");
    break;
  }
}
