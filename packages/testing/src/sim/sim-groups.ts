/** Placement groups of a simulated program: made, awaited, filled with tasks and actors, and removed, be it in the middle of it. */
import { get, kill, type ObjectRef, placementGroup, type PlacementGroup, RaiaError, removePlacementGroup } from "@raia/core";
import { BrokenAnswer, type Item, type Judge, newItem } from "./sim-answers.ts";
import { simContext, simSleep } from "./sim-context.ts";
import { dropValue, submitInGroup, sumOf, TallyActor, type TallyHandle } from "./sim-functions.ts";
import { expectedOf, LARGE_LENGTH, type Plan } from "./sim-plans.ts";
import type { Draws } from "./sim-streams.ts";

interface Member {
  readonly handle: TallyHandle;
  readonly call: ObjectRef;
}

/** In a bundle of less, tasks of these sizes would not fit. */
const BUNDLE_CPUS = 0.5;
const STRATEGIES = ["PACK", "SPREAD", "STRICT_PACK"] as const;

export class SimGroups {
  readonly #draws: Draws;
  readonly #judge: Judge;
  readonly #cpus: number;

  constructor(draws: Draws, judge: Judge, cpus: number) {
    this.#draws = draws;
    this.#judge = judge;
    this.#cpus = cpus;
  }

  async run(): Promise<void> {
    const { below } = this.#draws;
    const count = 1 + below(3);
    const size = [BUNDLE_CPUS, 1, 1, this.#cpus][below(4)] as number;
    const canFit = count * size <= this.#cpus;
    const group = placementGroup(
      Array.from({ length: count }, () => ({ CPU: size })),
      { strategy: STRATEGIES[below(STRATEGIES.length)] as "PACK" },
    );
    const items: Item[] = [];
    const members: Member[] = [];
    let isRemoved = false;
    for (let i = 1 + below(5); i > 0; i--) {
      const choice = below(12);
      if (choice < 6) items.push(this.#submit(group, count, size));
      else if (choice < 8) members.push(this.#newMember(group, count, size));
      else if (choice < 9) await this.#wait(group, canFit);
      else if (choice < 10) await this.#ready(group, canFit, isRemoved);
      else if (choice < 11 || isRemoved) await simSleep(below(200));
      else {
        isRemoved = true;
        simContext().counts.add("placement group removed with work in it");
        await removePlacementGroup(group);
      }
    }
    for (const item of items) await this.#check(item, isRemoved, canFit);
    for (const member of members) await this.#checkMember(member, isRemoved, canFit);
    await removePlacementGroup(group);
    await this.#ready(group, canFit, true);
    for (const { handle } of members) simContext().finalizers.drop(handle);
  }

  /** Children follow into the group: outside, they might wait for what the group has. */
  #submit(group: PlacementGroup, count: number, size: number): Item {
    const { below, key } = this.#draws;
    const options = {
      maxRetries: [0, 1, -1][below(3)] as number,
      numCpus: [BUNDLE_CPUS, Math.min(1, size), 0][below(3)] as number,
      maxCalls: 0,
      schedulingStrategy: {
        placementGroup: group,
        placementGroupBundleIndex: below(count + 1) - 1,
        placementGroupCaptureChildTasks: true,
      },
    };
    const plan = this.#plan();
    const ref = submitInGroup(key(options.maxRetries === 0), plan, options);
    return newItem(ref, expectedOf(plan), { isTask: true });
  }

  #plan(): Plan {
    const { below } = this.#draws;
    const n = below(1000);
    const leaf: Plan = { op: "add", n, sleepMs: below(2) * below(200) };
    const choice = below(6);
    if (choice < 3) return leaf;
    if (choice < 4) return { op: "array", n, length: LARGE_LENGTH };
    if (choice < 5) return { op: "throw", n };
    const options = { maxRetries: 3, numCpus: BUNDLE_CPUS, maxCalls: 0 };
    return { op: "tree", n, how: "get", options, children: [leaf, { op: "add", n: 1, sleepMs: 0 }] };
  }

  #newMember(group: PlacementGroup, count: number, size: number): Member {
    const { below, key } = this.#draws;
    const schedulingStrategy = { placementGroup: group, placementGroupBundleIndex: below(count + 1) - 1 };
    // One that kept a CPU would keep it from the tasks that are waited for before it ends.
    const toBePlaced = size >= 1 && below(2) === 0 ? {} : { numCpus: 0 };
    const options = { ...toBePlaced, maxRestarts: [0, -1][below(2)], schedulingStrategy };
    const handle = TallyActor.options(options).remote(0, 1) as TallyHandle;
    return { handle, call: handle.add.remote(key(true), 1, below(2) * below(50)) as ObjectRef };
  }

  async #wait(group: PlacementGroup, canFit: boolean): Promise<void> {
    try {
      const isReady = await group.wait({ timeoutMs: this.#draws.below(500) });
      if (isReady && !canFit) throw new BrokenAnswer("a group is ready that is larger than the cluster");
    } catch (error) {
      if (!RaiaError.is(error, "PLACEMENT_GROUP_REMOVED")) this.#judgeWait(error, canFit);
    }
  }

  async #ready(group: PlacementGroup, canFit: boolean, isRemoved: boolean): Promise<void> {
    try {
      await group.ready();
      if (isRemoved) throw new BrokenAnswer("a removed group is ready");
      if (!canFit) throw new BrokenAnswer("a group is ready that is larger than the cluster");
      simContext().counts.add("placement group ready");
    } catch (error) {
      if (!isRemoved || !RaiaError.is(error, "PLACEMENT_GROUP_REMOVED")) this.#judgeWait(error, canFit);
    }
  }

  #judgeWait(error: unknown, canFit: boolean): void {
    if (!canFit && RaiaError.is(error, "PLACEMENT_INFEASIBLE")) simContext().counts.add("placement group infeasible");
    else this.#judge.error(error, undefined);
  }

  async #check(item: Item, isRemoved: boolean, canFit: boolean): Promise<void> {
    if (isRemoved) item.excuses.add("PLACEMENT_GROUP_REMOVED");
    if (!canFit) item.excuses.add("PLACEMENT_INFEASIBLE");
    try {
      const value = await get(item.ref);
      const sum = await sumOf(value);
      dropValue(value);
      this.#judge.value(sum, item);
    } catch (error) {
      // A task that waits for a child in a group that is gone fails like the child.
      this.#judge.error(error, item);
    } finally {
      simContext().finalizers.drop(item.ref);
    }
  }

  async #checkMember({ handle, call }: Member, isRemoved: boolean, canFit: boolean): Promise<void> {
    try {
      const [, n] = (await get(call)) as [number, number];
      if (n !== 1) throw new BrokenAnswer(`the first call of an actor of a group gave ${n}`);
      simContext().counts.add("actor in a placement group");
    } catch (error) {
      if (!canFit && RaiaError.is(error, "ACTOR_UNSCHEDULABLE")) return;
      this.#judge.actorError(error, undefined, isRemoved);
    } finally {
      simContext().finalizers.drop(call);
    }
    if (!isRemoved && this.#draws.below(2) === 0) await kill(handle);
  }
}
