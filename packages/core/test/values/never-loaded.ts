/** A module that the test itself never imports. */

(globalThis as { neverLoadedRan?: boolean }).neverLoadedRan = true;

export class ElsewhereError extends Error {
  readonly detail = 7;
}
