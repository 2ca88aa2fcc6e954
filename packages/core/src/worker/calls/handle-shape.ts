import { packPlain, unpackPlain } from "../../wire/plain-codec.ts";

/** What callers must know of an actor to call it; travels with handles. */
export interface HandleShape {
  readonly className: string;
  readonly maxTaskRetries: number;
  readonly maxPendingCalls: number;
  readonly methods: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Methods that are generators: their calls are streams. */
  readonly generators: readonly string[];
}

export function packShape(shape: HandleShape): Uint8Array {
  return packPlain(shape);
}

export function unpackShape(bytes: Uint8Array): HandleShape {
  return unpackPlain(bytes, 0, bytes.length) as HandleShape;
}
