import { writeFileSync } from "node:fs";
import { type AddressOption, observe } from "../observe.ts";
import { note, plural, say } from "../print.ts";

export interface TimelineOptions extends AddressOption {
  readonly output: string;
  readonly job?: string;
}

export function timeline({ output, job, ...options }: TimelineOptions): Promise<void> {
  return observe(options, async ({ state }) => {
    const { events, dropped } = await state.timeline({ jobId: job });
    writeFileSync(output, JSON.stringify({ traceEvents: events, displayTimeUnit: "ms" }));
    say(`${plural(events.length, "event")} in ${output}; open it in ui.perfetto.dev or chrome://tracing`);
    if (dropped > 0) note(`${plural(dropped, "event")} more could not be kept: the newest are there`);
  });
}
