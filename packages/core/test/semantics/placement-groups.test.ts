/** Placement groups on one node: what is set aside, who may use it, and what its end does. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { eventually } from "@raia/testing/fixtures/eventually";
import {
  availableResources,
  cancel,
  exitActor,
  explain,
  get,
  getPlacementGroup,
  kill,
  listWorkers,
  type PlacementGroup,
  placementGroup,
  placementGroupTable,
  RaiaError,
  remote,
  removePlacementGroup,
  runtimeContext,
  type SchedulingStrategy,
} from "../../src/index.ts";

testCluster({ numCpus: 4, numGpus: 2, resources: { disk: 2 } });

function failsWith(code: string, facts: Record<string, unknown> = {}): (error: unknown) => boolean {
  return (error) => {
    assert.ok(RaiaError.is(error), String(error));
    assert.equal(error.code, code, error.message);
    for (const [name, fact] of Object.entries(facts)) assert.deepEqual(error.facts[name], fact, error.message);
    return true;
  };
}

function within(
  group: PlacementGroup,
  more: Omit<Extract<SchedulingStrategy, { placementGroup: unknown }>, "placementGroup"> = {},
): {
  schedulingStrategy: SchedulingStrategy;
} {
  return { schedulingStrategy: { placementGroup: group, ...more } };
}

const soon = (isSo: () => Promise<boolean>): Promise<boolean> => eventually(isSo, 5000);
const free = async (name: string): Promise<number> => (await availableResources())[name] ?? 0;

/** Runs `use` with a group, which is gone afterwards with all that it held. */
async function withGroup(
  bundles: Parameters<typeof placementGroup>[0],
  options: Parameters<typeof placementGroup>[1],
  use: (group: PlacementGroup) => Promise<void>,
): Promise<void> {
  const group = placementGroup(bundles, options);
  try {
    await use(group);
  } finally {
    await removePlacementGroup(group);
    assert.ok(await soon(async () => (await free("CPU")) === 4 && (await free("GPU")) === 2 && (await free("disk")) === 2));
  }
}

describe("setting aside", () => {
  test("a group takes what its bundles ask for, and gives it back", async () => {
    await withGroup([{ CPU: 1 }, { CPU: 1, disk: 0.5 }], {}, async (group) => {
      assert.equal(await group.ready(), group);
      assert.equal(group.bundleCount, 2);
      assert.deepEqual(group.bundleSpecs, [{ CPU: 1 }, { CPU: 1, disk: 0.5 }]);
      assert.match(group.id, /^[0-9a-f]{36}$/);
      assert.ok(await soon(async () => (await free("CPU")) === 2 && (await free("disk")) === 1.5));
      const row = (await placementGroupTable())[group.id];
      assert.deepEqual([row?.state, row?.strategy, row?.bundles.length], ["created", "PACK", 2]);
      assert.ok(row?.bundles.every(({ nodeId }) => nodeId !== undefined));
    });
  });

  test("one that does not fit now waits, says for what, and comes when there is room", async () => {
    await withGroup([{ CPU: 3 }], {}, async (first) => {
      await first.ready();
      const second = placementGroup([{ CPU: 2 }]);
      assert.equal(await second.wait({ timeoutMs: 20 }), false);
      const { state, reasons } = await explain(second);
      assert.equal(state, "pending");
      assert.match(reasons.join(), /bundle 0: node [0-9a-f]+: needs CPU 2, node has 4 in total, 1 free/);
      await removePlacementGroup(first);
      assert.equal(await second.wait(), true);
      await removePlacementGroup(second);
    });
  });

  test("one that can never fit: PLACEMENT_INFEASIBLE with the reason, for who waits and for what was submitted to it", async () => {
    const group = placementGroup([{ CPU: 3 }, { CPU: 3 }], { strategy: "STRICT_PACK" });
    const task = remote(() => 1, within(group)).remote();
    await assert.rejects(group.ready(), failsWith("PLACEMENT_INFEASIBLE"));
    await assert.rejects(get(task), failsWith("PLACEMENT_INFEASIBLE"));
    await assert.rejects(group.ready(), /STRICT_PACK: all bundles on one node: node [0-9a-f]+: needs CPU 6, node has 4 in total/);
    await removePlacementGroup(group);
    await assert.rejects(group.ready(), failsWith("PLACEMENT_GROUP_REMOVED", { cause: "removed-by-user" }));
  });

  test("removed before it was there, and removed twice", async () => {
    const group = placementGroup([{ CPU: 1 }]);
    await removePlacementGroup(group);
    await removePlacementGroup(group);
    await assert.rejects(group.ready(), failsWith("PLACEMENT_GROUP_REMOVED"));
    await assert.rejects(get(remote(() => 1, within(group)).remote()), failsWith("PLACEMENT_GROUP_REMOVED"));
  });

  test("names: found by them, taken once, free again with the end", async () => {
    await withGroup([{ CPU: 1 }], { name: "team" }, async (group) => {
      await group.ready();
      const found = await getPlacementGroup("team");
      assert.deepEqual([found.id, found.bundleSpecs], [group.id, group.bundleSpecs]);
      await assert.rejects(placementGroup([{ CPU: 1 }], { name: "team" }).ready(), failsWith("PLACEMENT_GROUP_NAME_TAKEN"));
      await removePlacementGroup(found);
      await assert.rejects(getPlacementGroup("team"), failsWith("PLACEMENT_GROUP_NOT_FOUND"));
      const next = placementGroup([{ CPU: 1 }], { name: "team" });
      await next.ready();
      await removePlacementGroup(next);
    });
  });
});

describe("running inside", () => {
  test("tasks and actors run in the group, and no more at a time than its bundles hold", async () => {
    await withGroup([{ CPU: 1 }], {}, async (group) => {
      const busy = remote(async () => {
        const startedAt = Date.now();
        await new Promise((resolve) => setTimeout(resolve, 40));
        return [startedAt, Date.now()] as const;
      }, within(group));
      const spans = (await get([busy.remote(), busy.remote(), busy.remote()])).toSorted((a, b) => a[0] - b[0]);
      for (const [index, [startedAt]] of spans.entries())
        assert.ok(index === 0 || startedAt >= (spans[index - 1]?.[1] ?? 0), JSON.stringify(spans));
      const where = remote(() => runtimeContext().placementGroupId, within(group));
      assert.equal(await get(where.remote()), group.id);
      assert.equal(await get(remote(() => runtimeContext().placementGroupId).remote()), undefined);
    });
  });

  test("an actor has its place in a bundle, and keeps it", async () => {
    class Member {
      where(): string | undefined {
        return runtimeContext().placementGroupId;
      }
    }
    await withGroup([{ CPU: 1 }, { CPU: 1 }], {}, async (group) => {
      const [first, second] = [0, 1].map((index) =>
        remote(Member, { numCpus: 1, ...within(group, { placementGroupBundleIndex: index }) }).remote(),
      );
      assert.ok(first !== undefined && second !== undefined);
      assert.deepEqual(await get([first.where.remote(), second.where.remote()]), [group.id, group.id]);
      const queued = remote(() => 1, within(group)).remote();
      assert.ok(
        await soon(async () =>
          /bundle 0 of placement group [0-9a-f]+: needs CPU 1, bundle has 1 in total, 0 free/.test((await explain(queued)).reasons.join()),
        ),
      );
      await kill(first);
      assert.equal(await get(queued), 1);
      await kill(second);
    });
  });

  test("devices are those of the bundle", async () => {
    const look = (): readonly number[] => runtimeContext().accelerators["GPU"] ?? [];
    await withGroup(
      [
        { CPU: 1, GPU: 1 },
        { CPU: 1, GPU: 1 },
      ],
      {},
      async (group) => {
        const at = (index: number) => remote(look, { numGpus: 1, ...within(group, { placementGroupBundleIndex: index }) });
        const [zero, one] = await get([at(0).remote(), at(1).remote()]);
        assert.deepEqual(
          [...(zero ?? []), ...(one ?? [])].toSorted((a, b) => a - b),
          [0, 1],
        );
        assert.deepEqual(await get([at(0).remote(), at(1).remote()]), [zero, one]);
      },
    );
  });

  test("children follow into the group when it captures them, and grandchildren; not when they name a place", async () => {
    const where = (): string | undefined => runtimeContext().placementGroupId;
    const ask = remote(async () => {
      const inner = remote(() => runtimeContext().placementGroupId);
      const child = remote(async () => [runtimeContext().placementGroupId, await get(inner.remote())]);
      class Child {
        where(): string | undefined {
          return runtimeContext().placementGroupId;
        }
      }
      const actor = remote(Child, { numCpus: 0 }).remote();
      const escaped = remote(() => runtimeContext().placementGroupId, { schedulingStrategy: "DEFAULT" });
      return [...(await get(child.remote())), await get(actor.where.remote()), await get(escaped.remote())];
    });
    await withGroup([{ CPU: 1 }], {}, async (group) => {
      const { id } = group;
      const capturing = ask.options(within(group, { placementGroupCaptureChildTasks: true }));
      assert.deepEqual(await get(capturing.remote()), [id, id, id, undefined]);
      assert.deepEqual(await get(ask.options(within(group)).remote()), [undefined, undefined, undefined, undefined]);
      assert.equal(await get(remote(where).remote()), undefined);
    });
  });

  test("a task that waits gives its CPU back to the bundle", async () => {
    await withGroup([{ CPU: 1 }], {}, async (group) => {
      const tree: (depth: number) => Promise<number> = async (depth) => (depth === 0 ? 1 : 1 + (await get(remote(tree).remote(depth - 1))));
      const tall = remote(tree, within(group, { placementGroupCaptureChildTasks: true }));
      assert.equal(await get(tall.remote(4)), 5);
    });
  });

  test("a handle travels in arguments, results and captures", async () => {
    await withGroup([{ CPU: 1 }], {}, async (group) => {
      const use = remote(async (given: PlacementGroup) => {
        await given.ready();
        const inside = remote(() => runtimeContext().placementGroupId, { schedulingStrategy: { placementGroup: given } });
        return [given.id, given.bundleSpecs, await get(inside.remote()), given] as const;
      });
      const [id, specs, where, back] = await get(use.remote(group));
      assert.deepEqual([id, specs, where, back.id], [group.id, [{ CPU: 1 }], group.id, group.id]);
      assert.equal(await back.wait(), true);
    });
  });

  test("work that was submitted before the group is there waits for it", async () => {
    await withGroup([{ CPU: 4 }], {}, async (first) => {
      await first.ready();
      const second = placementGroup([{ CPU: 1 }]);
      const task = remote(() => "ran", within(second)).remote();
      class Late {
        here(): string {
          return "here";
        }
      }
      const actor = remote(Late, { numCpus: 0, ...within(second) }).remote();
      const called = actor.here.remote();
      assert.ok(await soon(async () => /its placement group [0-9a-f]+ is pending/.test((await explain(task)).reasons.join())));
      assert.match((await explain(actor)).reasons.join(), /its placement group is pending/);
      await removePlacementGroup(first);
      assert.deepEqual(await get([task, called]), ["ran", "here"]);
      await removePlacementGroup(second);
    });
  });
});

describe("the end of a group", () => {
  test("what runs in it is ended, what waits fails, and the processes are gone", async () => {
    class Member {
      pid(): number {
        return process.pid;
      }
    }
    const group = placementGroup([{ CPU: 1 }, { CPU: 1 }]);
    const actor = remote(Member, { numCpus: 1, maxRestarts: -1, ...within(group, { placementGroupBundleIndex: 0 }) }).remote();
    await get(actor.pid.remote());
    const endless = remote(async () => await new Promise<never>(() => {}), {
      maxRetries: 0,
      ...within(group, { placementGroupBundleIndex: 1 }),
    }).remote();
    const retried = remote(async () => await new Promise<never>(() => {}), {
      maxRetries: 5,
      ...within(group, { placementGroupBundleIndex: 1 }),
    }).remote();
    assert.ok(await soon(async () => [await explain(endless), await explain(retried)].some(({ state }) => state === "running")));
    await removePlacementGroup(group);
    await assert.rejects(get(endless), failsWith("PLACEMENT_GROUP_REMOVED"));
    await assert.rejects(get(retried), failsWith("PLACEMENT_GROUP_REMOVED"));
    // The removal is durable; the node hears of it in its own time.
    assert.ok(await soon(async () => (await free("CPU")) === 4));
    await assert.rejects(get(actor.pid.remote()), failsWith("ACTOR_DIED", { cause: "placement-group-removed" }));
    assert.ok(await soon(async () => (await listWorkers()).every(({ kind, state }) => kind === "driver" || state !== "busy")));
    assert.equal((await placementGroupTable())[group.id]?.state, "removed");
  });

  test("a group that an actor made goes with the actor", async () => {
    class Maker {
      async make(): Promise<PlacementGroup> {
        return await placementGroup([{ disk: 1 }]).ready();
      }
      end(): void {
        exitActor();
      }
    }
    const maker = remote(Maker, { name: "maker" }).remote();
    const group = await get(maker.make.remote());
    assert.equal(await group.wait(), true);
    await get(maker.end.remote());
    assert.ok(await soon(async () => (await placementGroupTable())[group.id]?.state === "removed"));
    await assert.rejects(group.ready(), failsWith("PLACEMENT_GROUP_REMOVED", { cause: "creator-died" }));
    assert.ok(await soon(async () => (await free("disk")) === 2));
  });

  test("a waiting task of the group can be cancelled", async () => {
    await withGroup([{ CPU: 4 }], {}, async (first) => {
      await first.ready();
      const second = placementGroup([{ CPU: 1 }]);
      const task = remote(() => 1, within(second)).remote();
      assert.ok(await soon(async () => (await explain(task)).state === "queued"));
      cancel(task);
      await assert.rejects(get(task), failsWith("TASK_CANCELLED"));
      await removePlacementGroup(second);
    });
  });
});
