import { type AddressOption, observe } from "../observe.ts";
import { say } from "../print.ts";

export function explain(id: string, options: AddressOption): Promise<void> {
  return observe(options, async ({ state }) => {
    const explanation = await state.explain(id);
    say(explanation.state);
    for (const reason of explanation.reasons) say(`  ${reason}`);
  });
}
