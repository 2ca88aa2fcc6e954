import { writeFileSync } from "node:fs";
import { type AddressOption, observe } from "../observe.ts";
import { fail, note, plural, say } from "../print.ts";

export interface TimelineOptions extends AddressOption {
  readonly output: string;
  readonly job?: string;
}

export function timeline({ output, job, ...options }: TimelineOptions): Promise<void> {
  return observe(options, async ({ state }) => {
    const { events, dropped } = await state.timeline({ jobId: job });
    if (job !== undefined && events.length === 0 && !(await state.jobs()).some(({ jobId }) => jobId === job))
      fail(new Error(`timeline --job ${job}: there is no such job; raia list jobs shows those that there are`));
    writeFileSync(output, JSON.stringify({ traceEvents: events, displayTimeUnit: "ms" }));
    say(`${plural(events.length, "event")} in ${output}; open it in ui.perfetto.dev or chrome://tracing`);
    if (dropped > 0) note(`${plural(dropped, "event")} more could not be kept: the newest are there`);
  });
}
