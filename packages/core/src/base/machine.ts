/**
 * A life with failure in it is a table: state x event -> next state and effects, pure, with time passed in. The owner
 * of the machine feeds it events and performs the effects. A cell that is absent is a bug and throws with the story of
 * the last steps; `"ignore"` means that somebody thought about it and it is harmless.
 */
export interface Tagged {
  readonly kind: string;
}

export interface Step<State, Effect> {
  readonly next: State;
  readonly effects: readonly Effect[];
}

type OfKind<T extends Tagged, K extends T["kind"]> = Extract<T, { readonly kind: K }>;

export type Cell<State extends Tagged, Event extends Tagged, Effect, S extends State["kind"], E extends Event["kind"]> =
  | "ignore"
  | ((state: OfKind<State, S>, event: OfKind<Event, E>, nowMs: number) => Step<State, Effect>);

export type Table<State extends Tagged, Event extends Tagged, Effect> = {
  readonly [S in State["kind"]]: { readonly [E in Event["kind"]]?: Cell<State, Event, Effect, S, E> };
};

const STORY_STEPS = 8;

/** Runs one life through its table and remembers the last steps for errors and `explain`. */
export class Machine<State extends Tagged, Event extends Tagged, Effect> {
  readonly #name: string;
  readonly #table: Table<State, Event, Effect>;
  readonly #story: string[] = [];
  #state: State;

  constructor(name: string, table: Table<State, Event, Effect>, initial: State) {
    this.#name = name;
    this.#table = table;
    this.#state = initial;
  }

  get state(): State {
    return this.#state;
  }

  /** The last steps, oldest first: `idle -leased-> leased`. */
  get story(): readonly string[] {
    return this.#story;
  }

  handle(event: Event, nowMs: number): readonly Effect[] {
    const row = this.#table[this.#state.kind as State["kind"]] as Record<string, Cell<State, Event, Effect, never, never> | undefined>;
    const cell = row[event.kind];
    if (cell === undefined) throw new InvalidTransition(this.#name, this.#state.kind, event.kind, this.#story);
    if (cell === "ignore") return [];
    const step = cell(this.#state as never, event as never, nowMs);
    this.#story.push(`${this.#state.kind} -${event.kind}-> ${step.next.kind}`);
    if (this.#story.length > STORY_STEPS) this.#story.shift();
    this.#state = step.next;
    return step.effects;
  }
}

class InvalidTransition extends Error {
  override readonly name = "InvalidTransition";

  constructor(machine: string, state: string, event: string, story: readonly string[]) {
    super(`${machine}: no transition for "${event}" in state "${state}"; story: ${story.join(", ") || "(new)"}`);
  }
}

/** Prints a table as text, one line a cell, for a golden file: a change of behaviour shows as a changed line. */
export function printTable(table: Readonly<Record<string, Readonly<Record<string, unknown>>>>, events: readonly string[]): string {
  const lines = Object.entries(table).flatMap(([state, row]) =>
    events.map((event) => `${state.padEnd(14)} ${event.padEnd(22)} ${cellText(row[event])}`),
  );
  return `${lines.join("\n")}\n`;
}

function cellText(cell: unknown): string {
  if (cell === undefined) return "-";
  return cell === "ignore" ? "ignore" : (cell as () => void).toString().replaceAll(/\s+/g, " ");
}
