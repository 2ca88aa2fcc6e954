/**
 * Time comes in through this interface, so that the simulator owns it. `nowMs` is monotonic: it never jumps when
 * somebody sets the clock. `wallMs` is for people (logs, events) and for nothing that decides.
 */
export interface Clock {
  /** Monotonic milliseconds since some fixed moment. */
  nowMs(): number;
  /** Milliseconds since 1970, for showing. */
  wallMs(): number;
  /** Calls `fn` once after `delayMs`. Does not keep the process alive. */
  after(delayMs: number, fn: () => void): Timer;
  /** Calls `fn` in a later turn of the event loop, after what has arrived was handled. */
  soon(fn: () => void): void;
}

export interface Timer {
  cancel(): void;
}

// The global is an accessor; the binding is looked up once.
const { performance: monotonic } = globalThis;

export const realClock: Clock = {
  nowMs: () => monotonic.now(),
  wallMs: () => Date.now(),
  after(delayMs, fn) {
    const handle = setTimeout(fn, delayMs);
    handle.unref();
    return { cancel: () => clearTimeout(handle) };
  },
  soon: (fn) => void setImmediate(fn),
};

/** A limit on what others do: what came while this process's own loop stood still is heard before it counts. */
export function whenHeard(clock: Clock, delayMs: number, fn: () => void): Timer {
  let isCancelled = false;
  const timer = clock.after(delayMs, () =>
    clock.soon(() => {
      if (!isCancelled) fn();
    }),
  );
  return {
    cancel: () => {
      isCancelled = true;
      timer.cancel();
    },
  };
}

/** Waits `delayMs`; ends early, without an error, when `signal` aborts. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const timer = clock.after(delayMs, done);
    signal?.addEventListener("abort", done, { once: true });
    function done(): void {
      timer.cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    }
  });
}
