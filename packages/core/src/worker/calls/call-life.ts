/**
 * Where a call may go from where it is. A million calls may be queued, and each is moved several times in a few microseconds:
 * so its life is a number that is checked against this table, and not a machine. Who moves it also says who holds it, which
 * is what a cancellation asks.
 */
export const callState = {
  /** Made; its code, an argument or its actor is not ready. */
  waiting: 0,
  /** In the queue of its shape or its actor. */
  queued: 1,
  /** Written to a worker, begun there or not: its claim word knows. */
  pushed: 2,
  /** Its results are there, or its failure. What comes later is thrown away. */
  settled: 3,
} as const;

export type CallState = (typeof callState)[keyof typeof callState];

const { waiting, queued, pushed, settled } = callState;

const callMoves: { readonly [From in CallState]: readonly CallState[] } = {
  // Pushed at once where an actor can take it.
  [waiting]: [queued, pushed, settled],
  // Settled by a cancellation, a time limit, a request for a worker that was refused, or the end of this process.
  [queued]: [pushed, settled],
  // Queued again when it was recalled before it began, when its worker died and it may run again, or when its error is one of
  // those that are tried again.
  [pushed]: [queued, settled],
  [settled]: [],
};

/** The same in one number, which costs a call nothing to ask: bit 4 x from + to. */
const moveBits = [waiting, queued, pushed, settled].reduce<number>(
  (bits, from) => callMoves[from].reduce<number>((row, to) => row | (1 << (4 * from + to)), bits),
  0,
);

export function canMove(from: CallState, to: CallState): boolean {
  return ((moveBits >> (4 * from + to)) & 1) === 1;
}
