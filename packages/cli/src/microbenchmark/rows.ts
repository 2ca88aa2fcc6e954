/**
 * Ray's microbenchmark, rows 1 to 25: the same names, the same operations. What is a client task or actor there is one here.
 *
 * @source Ray, `python/ray/_private/ray_perf.py`
 */
import { availableParallelism } from "node:os";
import type { ObjectRef } from "@raia/core";
import { get, onOutOfScope, placementGroup, put, RaiaError, remote, removePlacementGroup, wait } from "@raia/core";

export interface Row {
  readonly number: number;
  readonly name: string;
  /** Operations that one step stands for. */
  readonly multiplier: number;
  /** Which limit of the machine it is compared with. */
  readonly against: "roundTrips" | "pipelined" | "memoryCopy";
  /** What the machine must offer besides. */
  readonly resources?: Readonly<Record<string, number>>;
  /** Sets up and returns the step. */
  prepare(): Promise<() => unknown>;
}

const smallValue = remote(() => Buffer.from("ok"));

class Actor {
  smallValue(): Buffer {
    return Buffer.from("ok");
  }

  smallValueArg(_value: unknown): Buffer {
    return Buffer.from("ok");
  }

  async smallValueBatch(count: number): Promise<void> {
    await get(repeat(count, () => smallValue.remote()));
  }
}

class AsyncActor {
  async smallValue(): Promise<Buffer> {
    return Buffer.from("ok");
  }

  async smallValueWithArg(_value: unknown): Promise<Buffer> {
    return Buffer.from("ok");
  }
}

/** Calls servers from a process of its own. */
class Client {
  readonly #servers: readonly ActorLike[];

  constructor(servers: readonly ActorLike[]) {
    this.#servers = servers;
  }

  async smallValueBatch(count: number): Promise<void> {
    const refs: ObjectRef[] = [];
    for (const server of this.#servers) for (let i = 0; i < count; i++) refs.push(server.smallValue.remote());
    await get(refs);
  }

  async smallValueBatchArg(count: number): Promise<void> {
    const value = put(0);
    const refs: ObjectRef[] = [];
    for (const server of this.#servers) for (let i = 0; i < count; i++) refs.push(server.smallValueArg.remote(value));
    await get(refs);
  }
}

interface ActorLike {
  readonly smallValue: { remote(): ObjectRef };
  readonly smallValueArg: { remote(value: unknown): ObjectRef };
}

/** Half of the CPUs, as there. */
const serverCount = Math.max(1, Math.floor(availableParallelism() / 2));

const RemoteActor = remote(Actor, { numCpus: 0 });
const RemoteAsyncActor = remote(AsyncActor);
const RemoteClient = remote(Client, { numCpus: 0 });

function repeat<T>(count: number, make: (index: number) => T): T[] {
  const made: T[] = [];
  for (let index = 0; index < count; index++) made.push(make(index));
  return made;
}

/** Resolves when the actor has answered once. */
async function ready<A extends { smallValue: { remote(): ObjectRef } }>(actor: A): Promise<A> {
  await get(actor.smallValue.remote());
  return actor;
}

const callServers = remote(async (servers: readonly ActorLike[], count: number) => {
  await get(repeat(count, (index) => (servers[index % servers.length] as ActorLike).smallValue.remote()));
});

export const rows: readonly Row[] = [
  {
    number: 1,
    name: "single client get calls (Plasma Store)",
    multiplier: 1,
    against: "roundTrips",
    async prepare() {
      const ref = put(0);
      return () => get(ref);
    },
  },
  { number: 2, name: "single client put calls (Plasma Store)", multiplier: 1, against: "roundTrips", prepare: async () => () => put(0) },
  {
    number: 3,
    name: "multi client put calls (Plasma Store)",
    multiplier: 1000,
    against: "roundTrips",
    async prepare() {
      const putMany = remote(() => {
        for (let i = 0; i < 100; i++) put(0);
      });
      return () => get(repeat(10, () => putMany.remote()));
    },
  },
  {
    number: 4,
    name: "single client put gigabytes",
    multiplier: 0.8,
    against: "memoryCopy",
    async prepare() {
      const array = new BigInt64Array(100 * 1024 * 1024);
      return () => {
        using _ref = put(array);
      };
    },
  },
  {
    number: 5,
    name: "single client tasks and get batch",
    multiplier: 1,
    against: "pipelined",
    prepare: async () => () => get(repeat(1000, () => smallValue.remote())),
  },
  {
    number: 6,
    name: "multi client put gigabytes",
    multiplier: 8,
    against: "memoryCopy",
    async prepare() {
      const putLarge = remote(() => {
        const array = new BigInt64Array(10 * 1024 * 1024);
        for (let i = 0; i < 10; i++) {
          using _ref = put(array);
        }
      });
      return () => get(repeat(10, () => putLarge.remote()));
    },
  },
  {
    number: 7,
    name: "single client get object containing 10k refs",
    multiplier: 1,
    against: "roundTrips",
    async prepare() {
      const make = remote(() => repeat(10_000, () => put(1)));
      const ref = make.remote();
      await get(ref);
      return () => get(ref);
    },
  },
  {
    number: 8,
    name: "single client object out-of-scope callback registration",
    multiplier: 1,
    against: "roundTrips",
    prepare: async () => () => {
      using ref = put(0);
      onOutOfScope(ref, () => {});
    },
  },
  {
    number: 9,
    name: "object out-of-scope callback fire 1k batch",
    multiplier: 1000,
    against: "roundTrips",
    prepare: async () => () =>
      new Promise<void>((resolve) => {
        let left = 1000;
        const refs = repeat(1000, () => put(0));
        for (const ref of refs) {
          onOutOfScope(ref, () => {
            left--;
            if (left === 0) resolve();
          });
        }
        for (const ref of refs) ref[Symbol.dispose]();
      }),
  },
  {
    number: 10,
    name: "single client wait 1k refs",
    multiplier: 1,
    against: "pipelined",
    prepare: async () => async () => {
      let open: ObjectRef[] = repeat(1000, () => smallValue.remote());
      while (open.length > 0) open = (await wait(open)).pending;
    },
  },
  {
    number: 11,
    name: "single client tasks sync",
    multiplier: 1,
    against: "roundTrips",
    prepare: async () => () => get(smallValue.remote()),
  },
  {
    number: 12,
    name: "single client tasks async",
    multiplier: 1000,
    against: "pipelined",
    prepare: async () => () => get(repeat(1000, () => smallValue.remote())),
  },
  {
    number: 13,
    name: "multi client tasks async",
    multiplier: 40_000,
    against: "pipelined",
    async prepare() {
      const clients = await Promise.all(repeat(4, () => ready(RemoteActor.remote())));
      return () => get(clients.map((client) => client.smallValueBatch.remote(10_000)));
    },
  },
  {
    number: 14,
    name: "1:1 actor calls sync",
    multiplier: 1,
    against: "roundTrips",
    async prepare() {
      const actor = await ready(RemoteActor.remote());
      return () => get(actor.smallValue.remote());
    },
  },
  {
    number: 15,
    name: "1:1 actor calls async",
    multiplier: 1000,
    against: "pipelined",
    async prepare() {
      const actor = await ready(RemoteActor.remote());
      return () => get(repeat(1000, () => actor.smallValue.remote()));
    },
  },
  {
    number: 16,
    name: "1:1 actor calls concurrent",
    multiplier: 1000,
    against: "pipelined",
    async prepare() {
      const actor = await ready(RemoteActor.options({ maxConcurrency: 16 }).remote());
      return () => get(repeat(1000, () => actor.smallValue.remote()));
    },
  },
  {
    number: 17,
    name: "1:n actor calls async",
    multiplier: 5000 * serverCount,
    against: "pipelined",
    async prepare() {
      const servers = await Promise.all(repeat(serverCount, () => ready(RemoteActor.remote())));
      const client = RemoteClient.remote(servers);
      return () => get(client.smallValueBatch.remote(5000));
    },
  },
  {
    number: 18,
    name: "n:n actor calls async",
    multiplier: 4 * 5000,
    against: "pipelined",
    async prepare() {
      const servers = await Promise.all(repeat(serverCount, () => ready(RemoteActor.remote())));
      return () => get(repeat(4, () => callServers.remote(servers as never, 5000)));
    },
  },
  {
    number: 19,
    name: "n:n actor calls with arg async",
    multiplier: 1000 * serverCount,
    against: "pipelined",
    async prepare() {
      const servers = await Promise.all(repeat(serverCount, () => ready(RemoteActor.remote())));
      const clients = servers.map((server) => RemoteClient.remote([server] as never));
      return () => get(clients.map((client) => client.smallValueBatchArg.remote(1000)));
    },
  },
  {
    number: 20,
    name: "1:1 async-actor calls sync",
    multiplier: 1,
    against: "roundTrips",
    async prepare() {
      const actor = await ready(RemoteAsyncActor.remote());
      return () => get(actor.smallValue.remote());
    },
  },
  {
    number: 21,
    name: "1:1 async-actor calls async",
    multiplier: 1000,
    against: "pipelined",
    async prepare() {
      const actor = await ready(RemoteAsyncActor.remote());
      return () => get(repeat(1000, () => actor.smallValue.remote()));
    },
  },
  {
    number: 22,
    name: "1:1 async-actor calls with args async",
    multiplier: 1000,
    against: "pipelined",
    async prepare() {
      const actor = await ready(RemoteAsyncActor.remote());
      return () => get(repeat(1000, (index) => actor.smallValueWithArg.remote(index)));
    },
  },
  {
    number: 23,
    name: "1:n async-actor calls async",
    multiplier: 5000 * serverCount,
    against: "pipelined",
    async prepare() {
      const servers = await Promise.all(repeat(serverCount, () => ready(RemoteAsyncActor.remote())));
      const client = RemoteClient.remote(servers as never);
      return () => get(client.smallValueBatch.remote(5000));
    },
  },
  {
    number: 24,
    name: "n:n async-actor calls async",
    multiplier: 4 * 5000,
    against: "pipelined",
    async prepare() {
      const servers = await Promise.all(repeat(serverCount, () => ready(RemoteAsyncActor.remote())));
      return () => get(repeat(4, () => callServers.remote(servers as never, 5000)));
    },
  },
  {
    number: 25,
    name: "placement group create/removal",
    multiplier: 100,
    against: "roundTrips",
    resources: { custom: 100 },
    async prepare() {
      return async () => {
        const groups = repeat(100, () => placementGroup([{ custom: 0.001 }]));
        for (const group of groups) await group.wait({ timeoutMs: 30_000 });
        for (const group of groups) await removePlacementGroup(group);
      };
    },
  },
];

/** @param only a row's number, or a part of names; undefined: all. @throws {RaiaError} INVALID_OPTION when there is none */
export function chooseRows(only: string | undefined): readonly Row[] {
  if (only === undefined) return rows;
  const chosen = rows.filter(({ name, number }) => (/^\d+$/.test(only) ? String(number) === only : name.includes(only)));
  if (chosen.length === 0)
    throw new RaiaError("INVALID_OPTION", { option: "--only", value: only, reason: "no row has this number or name" });
  return chosen;
}
