/** Answers beforehand whether a function can be sent, with everything that stands in the way and what its captures weigh. */
import { captureGraph, type CaptureSize, type FunctionProblem, MAX_CAPTURED_BYTES, type ValueHooks } from "./function-capture.ts";

export interface FunctionReport {
  readonly name: string;
  readonly isSendable: boolean;
  /** By reference or by value; undefined when it cannot be sent. */
  readonly form: "module" | "source" | undefined;
  readonly problems: readonly FunctionProblem[];
  /** Estimated bytes by captured variable, largest first. */
  readonly captures: readonly CaptureSize[];
}

/** Nothing is stored or sent. Costs what sending it would. */
export function checkFunction(fn: Function, hooks: Pick<ValueHooks, "replace">): FunctionReport {
  const { graph, problems, captures } = captureGraph(fn, { replace: (value) => hooks.replace(value), revive: () => undefined });
  const total = captures.reduce((sum, { bytes }) => sum + bytes, 0);
  const tooLarge: FunctionProblem[] =
    total > MAX_CAPTURED_BYTES
      ? [
          {
            path: captures[0]?.path ?? graph.name,
            reason: `its captures are ${total} bytes`,
            wayOut: "put() the large ones and pass the refs",
          },
        ]
      : [];
  const all = [...problems, ...tooLarge];
  const form = graph.nodes[graph.root]?.[0] === "imported" ? "module" : "source";
  return { name: graph.name, isSendable: all.length === 0, form: all.length === 0 ? form : undefined, problems: all, captures };
}
