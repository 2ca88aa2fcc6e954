/** The bundles of a node that tests make up: what a node does with them, in few words, and how it can fail. */
import type { HeldBundles } from "../messages/control.ts";
import type { bundleService, PrepareBundles } from "../messages/placement-groups.ts";
import type { Connection } from "../wire/connection.ts";
import type { Infer } from "../wire/schema.ts";
import type { Handlers } from "../wire/service.ts";

type Prepare = Infer<typeof PrepareBundles>;

interface FakeBundle {
  readonly groupId: string;
  readonly epoch: number;
  readonly index: number;
  readonly cpuUnits: number;
  isOpen: boolean;
}

export class FakeBundles {
  readonly #totalCpuUnits: number;
  readonly #fences = new Map<string, number>();
  readonly held: FakeBundle[] = [];
  /** What was asked, in order. */
  readonly asked: string[] = [];
  /** Before an answer to "prepare" and "commit": may refuse, by false, or keep it waiting. */
  onPrepare: (request: Prepare) => boolean | Promise<boolean> = () => true;
  onCommit: () => boolean | Promise<boolean> = () => true;

  constructor(totalCpuUnits: number) {
    this.#totalCpuUnits = totalCpuUnits;
  }

  get freeCpuUnits(): number {
    return this.held.reduce((free, { cpuUnits }) => free - cpuUnits, this.#totalCpuUnits);
  }

  /** Indices of a group that are here, those set aside in brackets. */
  of(groupId: string): string {
    const here = this.held.filter((bundle) => bundle.groupId === groupId).sort((a, b) => a.index - b.index);
    return here.map(({ index, isOpen }) => (isOpen ? `${index}` : `(${index})`)).join(" ");
  }

  get rows(): HeldBundles[] {
    return this.held.map(({ groupId, epoch, index, isOpen }) => ({ groupId, epoch, indices: [index], isCommitted: isOpen }));
  }

  handlers(): Handlers<typeof bundleService, Connection> {
    return {
      roomForGroupsWanted: () => void this.asked.push("room wanted"),
      prepareBundles: async (request) => {
        this.asked.push(`prepare ${request.epoch}: ${request.bundles.map(({ index }) => index).join(" ")}`);
        const isAllowed = await this.onPrepare(request);
        const isPrepared = isAllowed && this.#prepare(request);
        return { isPrepared, reasons: isPrepared ? [] : ["refused"], available: this.#available };
      },
      commitBundles: async ({ groupId, epoch }) => {
        this.asked.push(`commit ${epoch}`);
        if (!(await this.onCommit())) return { isCommitted: false };
        const meant = this.held.filter((bundle) => bundle.groupId === groupId && bundle.epoch <= epoch);
        for (const bundle of meant) bundle.isOpen = true;
        return { isCommitted: meant.length > 0 };
      },
      cancelBundles: ({ groupId, epoch, openToo }) => {
        this.asked.push(`cancel ${epoch}${openToo ? " all" : ""}`);
        this.#fences.set(groupId, Math.max(epoch, this.#fences.get(groupId) ?? 0));
        this.#drop((bundle) => bundle.groupId === groupId && bundle.epoch <= epoch && (openToo || !bundle.isOpen));
        return { available: this.#available };
      },
      removeBundles: ({ groupId }) => {
        this.asked.push("remove");
        this.#fences.set(groupId, Number.POSITIVE_INFINITY);
        this.#drop((bundle) => bundle.groupId === groupId);
        return { available: this.#available };
      },
    };
  }

  get #available(): { readonly CPU: number } {
    return { CPU: this.freeCpuUnits };
  }

  #prepare({ groupId, epoch, bundles }: Prepare): boolean {
    if (epoch <= (this.#fences.get(groupId) ?? 0)) return false;
    this.#drop((bundle) => bundle.groupId === groupId && !bundle.isOpen && bundle.epoch < epoch);
    const wanted = bundles.filter(
      ({ index }) => !this.held.some((bundle) => bundle.groupId === groupId && bundle.index === index && bundle.epoch === epoch),
    );
    const cpuUnits = wanted.reduce((sum, { resources }) => sum + (resources["CPU"] ?? 0), 0);
    if (cpuUnits > this.freeCpuUnits) return false;
    for (const { index, resources } of wanted) this.held.push({ groupId, epoch, index, cpuUnits: resources["CPU"] ?? 0, isOpen: false });
    return true;
  }

  #drop(isMeant: (bundle: FakeBundle) => boolean): void {
    this.held.splice(0, this.held.length, ...this.held.filter((bundle) => !isMeant(bundle)));
  }
}
