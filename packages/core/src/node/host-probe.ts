/**
 * What can be found out about this machine. Everything that looks at `/proc`, `/sys`, `/dev` or runs a vendor's tool does so
 * through this interface, so that it can be tested against what other machines said.
 */
export interface HostProbe {
  readonly env: { readonly [name: string]: string | undefined };
  /** The text of a small file; `undefined` when it cannot be read, for whatever reason. */
  readFile(path: string): string | undefined;
  /** Names in a directory, in order; none when it cannot be read. */
  listDirectory(path: string): readonly string[];
  /** Standard output of a command that ended with 0 within `timeoutMs`; else `undefined`. Costs milliseconds: only when a device is there. */
  run(command: string, args: readonly string[], timeoutMs: number): Promise<string | undefined>;
  /** CPUs that this process may run on. */
  availableCpus(): number;
}
