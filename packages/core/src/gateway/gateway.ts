/** A machine's gateway, as its node process holds it. The work is done on a thread; see `gateway-server.ts`. */
import { Worker } from "node:worker_threads";
import { RaiaError } from "../base/errors.ts";
import { readFailure } from "../wire/failure.ts";
import { checkGatewayOptions, type GatewayFacts, type GatewayOptions } from "./gateway-options.ts";
import type { GatewayCounters } from "./gateway-server.ts";
import type { GatewayThreadData } from "./gateway-thread.ts";
import type { Role } from "./peer-name.ts";
import { ThreadCalls, type ThreadMessage } from "./thread-calls.ts";
import type { StoredToken, TokenStore } from "./token-store.ts";

export interface GatewayListener {
  /** The certificate was replaced by one that holds until then. */
  renewed?(validToMs: number): void;
  /** The certificate could not be replaced; it is tried again. */
  renewalFailed?(error: RaiaError): void;
  /** The thread ended by itself: every stream is gone, and a new gateway is needed. */
  failed?(error: RaiaError): void;
}

export class Gateway {
  readonly facts: GatewayFacts;
  readonly #thread: Worker;
  readonly #calls: ThreadCalls;
  readonly #exited: Promise<void>;
  /** Its end from here on is what was asked for. */
  readonly #expectEnd: () => void;

  private constructor(facts: GatewayFacts, thread: Worker, calls: ThreadCalls, exited: Promise<void>, expectEnd: () => void) {
    this.#expectEnd = expectEnd;
    this.facts = facts;
    this.#thread = thread;
    this.#calls = calls;
    this.#exited = exited;
  }

  /**
   * Starts a gateway, and joins the cluster first if that is asked for.
   *
   * @param tokens keeps join tokens where several heads share them; in the authority's directory unless given
   * @throws {RaiaError} INSECURE, INVALID_ARGUMENT, SYSTEM_CALL_FAILED, CREDENTIALS, and when joining JOIN_REFUSED, NOT_RAIA,
   *   CLOCK_SKEW, AUTHENTICATION, PROTOCOL, CONNECTION_LOST
   */
  static async start(options: GatewayOptions, listener: GatewayListener = {}, tokens?: TokenStore): Promise<Gateway> {
    checkGatewayOptions(options);
    const workerData: GatewayThreadData = { options, keepsTokens: tokens !== undefined };
    const extension = import.meta.url.endsWith(".ts") ? "ts" : "js";
    // Flags of the process (--input-type, --import) are not meant for this thread.
    const thread = new Worker(new URL(`../gateway/gateway-thread.${extension}`, import.meta.url), {
      workerData,
      name: "raia-gateway",
      execArgv: [],
    });
    const calls = new ThreadCalls(thread, {
      renewed: (validToMs: number) => listener.renewed?.(validToMs),
      renewalFailed: (failure: unknown) => listener.renewalFailed?.(readFailure(failure)),
      addToken: (token: StoredToken) => tokens?.add(token),
      takeToken: (hash: string) => tokens?.take(hash),
    });
    thread.on("message", (message: ThreadMessage) => void calls.received(message));
    let isStarted = false;
    const ended = (reason: string, cause?: unknown): void => {
      const error = new RaiaError("CONNECTION_LOST", { peer: "gateway", reason }, { cause });
      calls.end(error);
      if (isStarted) listener.failed?.(error);
      isStarted = false;
    };
    thread.on("error", (error) => ended(`the gateway's thread failed: ${String(error)}`, error));
    const exited = new Promise<void>((resolve) =>
      thread.once("exit", () => {
        ended("the gateway's thread ended");
        resolve();
      }),
    );
    try {
      const facts = (await calls.call("start", undefined)) as GatewayFacts;
      isStarted = true;
      return new Gateway(facts, thread, calls, exited, () => (isStarted = false));
    } catch (error) {
      await thread.terminate();
      throw error;
    }
  }

  async counters(): Promise<GatewayCounters> {
    return (await this.#calls.call("counters", undefined)) as GatewayCounters;
  }

  /** A new join token for one machine, or for one driver from outside, as it is typed. */
  async issueToken(role: Role, lifetimeMs?: number): Promise<string> {
    return (await this.#calls.call("issueToken", { role, lifetimeMs })) as string;
  }

  /** Ends every stream with a machine that is held for dead; by its `HOST:PORT`, or the id in its certificate. */
  async cut(peer: { readonly machine?: string; readonly id?: string }): Promise<void> {
    await this.#calls.call("cut", peer);
  }

  /** Asks the gateway at `address` for this machine's certificates from now on: the head has moved there. */
  async renewFrom(address: string): Promise<void> {
    await this.#calls.call("renewFrom", address);
  }

  /** Whether the process stays alive for this gateway. A driver's does not. */
  keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.#thread.ref();
    else this.#thread.unref();
  }

  async close(): Promise<void> {
    this.#expectEnd();
    await this.#calls.call("close", undefined);
    await this.#exited;
  }
}
