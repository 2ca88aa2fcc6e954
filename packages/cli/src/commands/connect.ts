import { init, shutdown } from "@raia/core";

/** Runs `look` as a guest of a running cluster. @throws {RaiaError} CLUSTER_NOT_FOUND */
export async function asGuest(options: Readonly<Record<string, unknown>>, look: () => Promise<void>): Promise<void> {
  const { address } = options;
  await init({ address: typeof address === "string" ? address : (process.env["RAIA_ADDRESS"] ?? "auto"), logToDriver: false });
  try {
    await look();
  } finally {
    await shutdown();
  }
}
