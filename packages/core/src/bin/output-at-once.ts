/**
 * What this process prints has left it when the call returns. By itself Node queues what a pipe does not take at once until the
 * loop runs: a result would overtake the lines that its task printed, and a worker that is ended then would take them along,
 * out of its log file as well. The price is that a worker which prints faster than its node reads waits for it.
 */
export function printAtOnce(): void {
  for (const name of ["stdout", "stderr"] as const) {
    const own = Object.getOwnPropertyDescriptor(process, name);
    if (own?.get === undefined) continue;
    let stream: Printing | undefined;
    // Opened when somebody prints: most workers never do, and it would delay the start of each.
    Object.defineProperty(process, name, {
      ...own,
      get: () => {
        if (stream !== undefined) return stream;
        stream = own.get?.call(process) as Printing;
        stream._handle?.setBlocking?.(true);
        return stream;
      },
    });
  }
}

/** The handle of a pipe; a file has none, and is written at once by itself. */
type Printing = { readonly _handle?: { setBlocking?(isBlocking: boolean): void } | null };
