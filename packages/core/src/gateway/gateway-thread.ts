/** The thread of a gateway: neither what users run nor what the daemon does holds it up, and only it has the keys. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../base/assert.ts";
import { realClock } from "../base/clock.ts";
import { realRandom } from "../base/random.ts";
import { RaiaError } from "../base/errors.ts";
import { failureBody } from "../wire/failure.ts";
import type { GatewayOptions } from "./gateway-options.ts";
import { type RunningGateway, runGateway } from "./gateway-runner.ts";
import type { Role } from "./peer-name.ts";
import { ThreadCalls, type ThreadMessage } from "./thread-calls.ts";
import type { StoredToken, TakenToken, TokenStore } from "./token-store.ts";

export interface GatewayThreadData {
  readonly options: GatewayOptions;
  /** Tokens are kept by who started this thread. */
  readonly keepsTokens: boolean;
}

assert(parentPort !== null, "a gateway runs on a thread");
const port = parentPort;
const { options, keepsTokens } = workerData as GatewayThreadData;
let running: RunningGateway | undefined;

const calls = new ThreadCalls(port, {
  start: async () => {
    running = await runGateway(options, { clock: realClock, random: realRandom }, events, keepsTokens ? outerTokens : undefined);
    return running.facts;
  },
  counters: () => started().server.counters(),
  issueToken: ({ role, lifetimeMs }: { role: Role; lifetimeMs: number | undefined }) => {
    const { authority } = started();
    if (authority === undefined) throw new RaiaError("UNSUPPORTED", { reason: "this machine makes no join tokens; the head does" });
    return authority.issueToken(role, lifetimeMs);
  },
  renewFrom: (address: string) => started().renewFrom(address),
  cut: (peer: { machine?: string; id?: string }) => started().server.cut(peer),
  close: async () => {
    await running?.close();
    // The answer leaves first.
    realClock.soon(() => port.close());
  },
});

port.on("message", (message: ThreadMessage) => void calls.received(message));

const events = {
  renewed: (validToMs: number) => void calls.call("renewed", validToMs),
  renewalFailed: (error: unknown) =>
    void calls.call(
      "renewalFailed",
      failureBody(RaiaError.is(error) ? error : new RaiaError("CREDENTIALS", { reason: String(error) }, { cause: error })),
    ),
};

const outerTokens: TokenStore = {
  add: async (token: StoredToken) => void (await calls.call("addToken", token)),
  take: async (hash: string) => (await calls.call("takeToken", hash)) as TakenToken,
};

function started(): RunningGateway {
  if (running === undefined) throw new RaiaError("UNSUPPORTED", { reason: "the gateway has not started" });
  return running;
}
