import { type Accelerator, numberedNames, TOOL_TIMEOUT_MS } from "./accelerator.ts";

const HABANA = "0x1da3";

/** Intel Gaudi. The runtime goes by module id, which only `hl-smi` knows; without it, modules count from 0. */
export const gaudi: Accelerator = {
  vendor: "Intel Gaudi",
  resource: "HPU",
  visibilityVariable: "HABANA_VISIBLE_MODULES",
  async detect(probe) {
    const devices = numberedNames(probe, "/dev/accel", /^accel(\d+)$/).filter(
      ({ name }) => probe.readFile(`/sys/class/accel/${name}/device/vendor`)?.trim() === HABANA,
    );
    const count = devices.length > 0 ? devices.length : numberedNames(probe, "/dev", /^hl(\d+)$/).length;
    if (count === 0) return undefined;
    const text = await probe.run("hl-smi", ["-Q", "module_id,name", "-f", "csv,noheader"], TOOL_TIMEOUT_MS);
    const rows = [...(text ?? "").matchAll(/^(\d+),\s*(\S+)/gm)];
    if (rows.length === 0) return { ids: Array.from({ length: count }, (_, index) => String(index)), type: undefined };
    const ids = rows.map((row) => row[1]!).sort((a, b) => Number(a) - Number(b));
    return { ids, type: typeOf(rows[0]![2]!) };
  },
};

/** Board names: HL-205 is Gaudi, HL-225 Gaudi 2, HL-325 Gaudi 3. */
function typeOf(board: string): string | undefined {
  const generation = { "1": "", "2": "", "20": "", "22": "2", "32": "3" }[/^HL-(\d\d)/i.exec(board)?.[1] ?? ""];
  return generation === undefined ? undefined : `Intel-GAUDI${generation}`;
}
