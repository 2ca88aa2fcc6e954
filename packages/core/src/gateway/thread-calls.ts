/** Calls between a thread and who started it, both ways over one port: each is answered once, errors as code and facts. */
import { RaiaError } from "../base/errors.ts";
import { failureBody, readFailure } from "../wire/failure.ts";

export type ThreadMessage =
  | { readonly kind: "call"; readonly call: number; readonly method: string; readonly argument: unknown }
  | { readonly kind: "value"; readonly call: number; readonly value: unknown }
  | { readonly kind: "failure"; readonly call: number; readonly failure: unknown };

export interface ThreadPort {
  postMessage(message: unknown): void;
}

export class ThreadCalls {
  readonly #port: ThreadPort;
  readonly #handlers: Readonly<Record<string, (argument: never) => unknown>>;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #nextCall = 1;
  #ended: RaiaError | undefined;

  /** What comes at `port` is to be given to `received`. */
  constructor(port: ThreadPort, handlers: Readonly<Record<string, (argument: never) => unknown>>) {
    this.#port = port;
    this.#handlers = handlers;
  }

  call(method: string, argument: unknown): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const call = this.#nextCall++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(call, waiting);
    this.#port.postMessage({ kind: "call", call, method, argument } satisfies ThreadMessage);
    return waiting.promise;
  }

  /** The other side is gone. */
  end(error: RaiaError): void {
    this.#ended ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }

  async received(message: ThreadMessage): Promise<void> {
    if (message.kind === "call") {
      this.#port.postMessage(await this.#answer(message));
      return;
    }
    const waiting = this.#waiting.get(message.call);
    this.#waiting.delete(message.call);
    if (message.kind === "value") waiting?.resolve(message.value);
    else waiting?.reject(readFailure(message.failure));
  }

  async #answer({ call, method, argument }: Extract<ThreadMessage, { kind: "call" }>): Promise<ThreadMessage> {
    try {
      return { kind: "value", call, value: await this.#handlers[method]?.(argument as never) };
    } catch (error) {
      if (!RaiaError.is(error)) throw error;
      return { kind: "failure", call, failure: failureBody(error) };
    }
  }
}
