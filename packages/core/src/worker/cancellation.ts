/** How a call is to be cancelled; the calls that it made are cancelled in the same way. */
export interface Cancellation {
  /** The worker is stopped where the code does not stop by itself. */
  readonly force: boolean;
  /** The calls that it made end with it. */
  readonly recursive: boolean;
  /** What the canceller gave as a reason. */
  readonly reason?: CancelReason | undefined;
}

export interface CancelReason {
  readonly value: unknown;
  /** As it travels. */
  readonly bytes: Uint8Array;
}

/** A call that ran out of time: what it made is of no use to anybody. */
export const outOfTime: Cancellation = { force: false, recursive: true };
