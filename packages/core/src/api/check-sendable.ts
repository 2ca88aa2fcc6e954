/** Says beforehand whether a value or a function can be sent, and if not, why not and what to do. */
import { reportOnFunction, reportOnValue, type SendableReport } from "../worker/objects/sendable-report.ts";
import { ActorClassHandle } from "./actor-class.ts";
import { RemoteFunctionHandle } from "./remote-function.ts";

/** Sends nothing, and needs no cluster. Costs what sending would. A function or class is looked at as `remote` would take it. */
export function checkSendable(value: unknown): SendableReport {
  const target = functionOf(value);
  return target === undefined ? reportOnValue(value) : reportOnFunction(target, functionOf);
}

function functionOf(value: unknown): Function | undefined {
  if (typeof value === "function") return value;
  const isTask = value instanceof RemoteFunctionHandle;
  if (!isTask && !(value instanceof ActorClassHandle)) return undefined;
  const { source } = isTask ? RemoteFunctionHandle.open(value) : ActorClassHandle.open(value);
  return "fn" in source ? source.fn : undefined;
}
