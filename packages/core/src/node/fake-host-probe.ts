import type { HostProbe } from "./host-probe.ts";

export interface FakeHost {
  /** Path to text. A directory is there when a path below it is; an empty path's text may be "". */
  readonly files?: { readonly [path: string]: string };
  /** `"npu-smi info"` to what it prints. */
  readonly commands?: { readonly [line: string]: string };
  readonly env?: { readonly [name: string]: string };
  readonly cpus?: number;
}

/** A machine made of recorded files and outputs. `commandsRun` tells what was spawned. */
export class FakeHostProbe implements HostProbe {
  readonly env: { readonly [name: string]: string };
  readonly commandsRun: string[] = [];
  readonly files: Map<string, string>;
  readonly #host: FakeHost;

  constructor(host: FakeHost = {}) {
    this.#host = host;
    this.env = host.env ?? {};
    this.files = new Map(Object.entries(host.files ?? {}));
  }

  readFile(path: string): string | undefined {
    return this.files.get(path);
  }

  listDirectory(path: string): readonly string[] {
    const prefix = `${path}/`;
    const names = [...this.files.keys()].filter((file) => file.startsWith(prefix)).map((file) => file.slice(prefix.length).split("/")[0]!);
    return [...new Set(names)].sort();
  }

  async run(command: string, args: readonly string[]): Promise<string | undefined> {
    const line = [command, ...args].join(" ");
    this.commandsRun.push(line);
    return this.#host.commands?.[line];
  }

  availableCpus(): number {
    return this.#host.cpus ?? 4;
  }
}
