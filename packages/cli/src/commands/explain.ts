import { type AddressOption, observe } from "../observe.ts";
import { type Format, say, sayJson } from "../print.ts";

export interface ExplainOptions extends AddressOption {
  readonly format: Format;
}

export function explain(id: string, { format, ...options }: ExplainOptions): Promise<void> {
  return observe(options, async ({ state }) => {
    const explanation = await state.explain(id);
    if (format === "json") return sayJson(explanation);
    say(explanation.state);
    for (const reason of explanation.reasons) say(`  ${reason}`);
  });
}
