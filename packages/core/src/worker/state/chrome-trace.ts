/**
 * Task events as a trace that chrome://tracing and ui.perfetto.dev draw: in the caller's process how long each call waited
 * for a worker and how long each `get` took, in the worker's process how long the code ran. Pure.
 */
import type { TaskEvent as TaskEventType } from "../../messages/control.ts";
import type { Infer } from "../../wire/schema.ts";

type TaskEvent = Infer<typeof TaskEventType>;

/** One event of the Trace Event Format; times are microseconds. */
export interface TraceEvent {
  readonly name: string;
  readonly ph: "X" | "i" | "M";
  readonly pid: number;
  readonly tid: number;
  readonly cat?: string;
  readonly ts?: number;
  readonly dur?: number;
  readonly s?: "t";
  readonly args?: Readonly<Record<string, unknown>>;
}

interface Span {
  readonly pid: number;
  readonly kind: "run" | "wait" | "get";
  readonly startMs: number;
  readonly endMs: number;
  readonly event: TaskEvent;
}

/** Lanes of one kind in one process; a viewer cannot draw more in any case. */
const LANES_PER_KIND = 1_000;
const firstLane = { submit: 1, run: 2, wait: 2 + LANES_PER_KIND, get: 2 + 2 * LANES_PER_KIND } as const;

/** @param processNames by pid; others are called by their pid */
export function chromeTrace(events: readonly TaskEvent[], processNames: ReadonlyMap<number, string>): TraceEvent[] {
  const submitted = new Map(events.filter(({ state }) => state === "submitted").map((event) => [event.taskId, event]));
  const trace: TraceEvent[] = [...submitted.values()].map((event) => ({
    name: event.name,
    cat: "submit",
    ph: "i",
    s: "t",
    pid: event.pid,
    tid: firstLane.submit,
    ts: event.atMs * 1000,
    args: factsOf(event),
  }));
  const lanes = new Lanes();
  const spans = events.flatMap((event) => spansOf(event, submitted.get(event.taskId))).sort((a, b) => a.startMs - b.startMs);
  for (const { pid, kind, startMs, endMs, event } of spans) {
    trace.push({
      name: event.name,
      cat: kind,
      ph: "X",
      pid,
      tid: lanes.take(pid, kind, startMs, endMs),
      ts: startMs * 1000,
      dur: (endMs - startMs) * 1000,
      args: factsOf(event),
    });
  }
  return [...headings(trace, processNames), ...trace];
}

function spansOf(event: TaskEvent, call: TaskEvent | undefined): Span[] {
  const { state, pid, atMs, durationMs = 0 } = event;
  const own = { pid, startMs: atMs, endMs: atMs + durationMs, event };
  if (state === "got") return [{ ...own, kind: "get" }];
  if (state !== "finished" && state !== "failed") return [];
  const ran: Span = { ...own, kind: "run" };
  // Clocks of two processes may differ by a hair.
  const hasWaited = call !== undefined && call.atMs < atMs && event.attempt === 0;
  return hasWaited ? [{ pid: call.pid, kind: "wait", startMs: call.atMs, endMs: atMs, event }, ran] : [ran];
}

function factsOf({ taskId, attempt, state, jobId, error }: TaskEvent): Readonly<Record<string, unknown>> {
  return { taskId, jobId, state, ...(attempt > 0 && { attempt }), ...(error !== undefined && { error }) };
}

/** Spans of one lane must not overlap: each takes the first lane that is free. */
class Lanes {
  readonly #ends = new Map<string, number[]>();

  take(pid: number, kind: Span["kind"], startMs: number, endMs: number): number {
    const key = `${pid} ${kind}`;
    let ends = this.#ends.get(key);
    if (ends === undefined) this.#ends.set(key, (ends = []));
    let lane = ends.findIndex((endedMs) => endedMs <= startMs);
    if (lane < 0) lane = Math.min(ends.length, LANES_PER_KIND - 1);
    ends[lane] = endMs;
    return firstLane[kind] + lane;
  }
}

function headings(trace: readonly TraceEvent[], processNames: ReadonlyMap<number, string>): TraceEvent[] {
  const lanes = new Map(trace.map((event) => [`${event.pid} ${event.tid}`, event]));
  const pids = [...new Set(trace.map(({ pid }) => pid))];
  return [
    ...pids.map(
      (pid): TraceEvent => ({ name: "process_name", ph: "M", pid, tid: 0, args: { name: processNames.get(pid) ?? `process ${pid}` } }),
    ),
    ...[...lanes.values()].map(({ pid, tid, cat }): TraceEvent => ({ name: "thread_name", ph: "M", pid, tid, args: { name: cat } })),
  ];
}
