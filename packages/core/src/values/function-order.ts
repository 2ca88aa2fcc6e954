/**
 * Plays through the order in which the receiver will create the nodes, before any text is written, to find the captures that form
 * a cycle: those are declared as variables and set once everything exists. Cycles through objects need nothing, since an object
 * is filled after it was made; what remains are closures over one another's function-scope variables, a function over its own
 * handle, and the like.
 */
import { type Child, creationChildren, fillChildren, type GraphNode, isReference } from "./function-graph.ts";
import type { FunctionDraft, UnitPlan } from "./function-unit.ts";

export interface OrderContext {
  readonly nodes: readonly (GraphNode | undefined)[];
  readonly draftOf: ReadonlyMap<number, FunctionDraft>;
  readonly planOf: ReadonlyMap<FunctionDraft, UnitPlan>;
  /** A cycle that nothing can be set late in. */
  refuseCycle(node: number): void;
}

export function markLateCaptures(root: number, context: OrderContext): void {
  const order = new CreationOrder(context);
  order.create(root);
  for (let id = 0; id < context.nodes.length; id++) order.create(id);
  order.finish();
}

class CreationOrder {
  readonly #context: OrderContext;
  readonly #created = new Set<number>();
  readonly #busy = new Set<number>();
  readonly #started = new Set<UnitPlan>();
  readonly #completed = new Set<number>();
  #blocked: number[] = [];

  constructor(context: OrderContext) {
    this.#context = context;
  }

  /** @returns false when it waits for something that is being created further up */
  create(id: number): boolean {
    if (this.#created.has(id)) return true;
    if (this.#busy.has(id)) return false;
    const draft = this.#context.draftOf.get(id);
    if (draft !== undefined) return this.#createFunction(id, draft);
    const node = this.#context.nodes[id];
    if (node === undefined) return true;
    this.#busy.add(id);
    const isReady =
      creationChildren(node).every((child) => this.#createChild(child)) && (node[0] !== "replaced" || this.#complete(node[2]));
    this.#busy.delete(id);
    if (isReady) this.#created.add(id);
    else this.#blocked.push(id);
    return isReady;
  }

  /** What was blocked by something further up must be possible now. */
  finish(): void {
    for (let rest = this.#blocked; rest.length > 0; rest = this.#blocked) {
      this.#blocked = [];
      const before = this.#created.size;
      for (const id of rest) this.create(id);
      if (this.#created.size > before) continue;
      if (this.#blocked.length > 0) this.#context.refuseCycle(this.#blocked[0] as number);
      return;
    }
  }

  #createFunction(id: number, draft: FunctionDraft): boolean {
    const plan = this.#context.planOf.get(draft) as UnitPlan;
    this.#start(plan);
    if (this.#created.has(id)) return true;
    this.#busy.add(id);
    for (const param of plan.params.get(draft) ?? []) {
      if (isReference(param.child) && param.child[0] === id && !param.isWritten) param.when = "self";
      else if (!this.#createChild(param.child)) param.when = "late";
    }
    const isReady = draft.definitions.every(({ child }) => this.#createChild(child));
    this.#busy.delete(id);
    if (isReady) this.#created.add(id);
    else this.#blocked.push(id);
    return isReady;
  }

  /** A unit starts with its first function, and asks for its shared values then. */
  #start(plan: UnitPlan): void {
    if (this.#started.has(plan)) return;
    this.#started.add(plan);
    for (const cell of plan.cells.values()) cell.isLate = !this.#createChild(cell.child);
  }

  #createChild(child: Child): boolean {
    return !isReference(child) || this.create(child[0]);
  }

  /** The payload of a replacement is handed to the hooks filled, as far as it is plain; functions in it need only exist. */
  #complete(child: Child): boolean {
    if (!isReference(child)) return true;
    const [id] = child;
    if (!this.create(id)) return false;
    if (this.#completed.has(id) || this.#context.draftOf.has(id)) return true;
    this.#completed.add(id);
    const node = this.#context.nodes[id];
    const isComplete = node === undefined || fillChildren(node).every((each) => this.#complete(each));
    if (!isComplete) this.#completed.delete(id);
    return isComplete;
  }
}
