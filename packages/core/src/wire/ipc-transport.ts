/** Unix sockets between the processes of one machine. An address is a path in the session's private directory. */
import { connect, createServer, type Socket } from "node:net";
import { RaiaError } from "../base/errors.ts";
import type { ByteStream, Listener, StreamEvents, Transport } from "./transport.ts";

export const ipcTransport: Transport = {
  listen(address, onStream) {
    return new Promise<Listener>((resolve, reject) => {
      const sockets = new Set<Socket>();
      const server = createServer((socket) => {
        sockets.add(socket);
        socket.once("close", () => sockets.delete(socket));
        onStream(new SocketStream(socket));
      });
      server.once("error", (error: NodeJS.ErrnoException) =>
        reject(
          new RaiaError("SESSION_DIRECTORY", { reason: "cannot listen on a socket", path: address, errno: error.code }, { cause: error }),
        ),
      );
      server.listen(address, () =>
        resolve({
          address,
          keepAlive: (isNeeded) => void (isNeeded ? server.ref() : server.unref()),
          close: () =>
            new Promise<void>((done) => {
              server.close(() => done());
              for (const socket of sockets) socket.destroy();
            }),
        }),
      );
    });
  },

  dial(address) {
    return new Promise<ByteStream>((resolve, reject) => {
      const socket = connect(address);
      socket.once("error", (error: NodeJS.ErrnoException) => {
        const facts = { cause: causeOf(error), address, reason: "cannot connect", errno: error.code };
        reject(new RaiaError("CONNECTION_LOST", facts, { cause: error }));
      });
      socket.once("connect", () => resolve(new SocketStream(socket)));
    });
  },
};

/** Whether nobody listens at a socket of this machine: that process has ended. Otherwise it is there, and more dial it than it takes. */
export function causeOf({ code }: NodeJS.ErrnoException): "gone" | "busy" {
  return code === "ENOENT" || code === "ECONNREFUSED" ? "gone" : "busy";
}

/** A connected socket, of whatever kind. */
export class SocketStream implements ByteStream {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.removeAllListeners("error");
    // The close event that follows says the same; without a listener the error would end the process.
    socket.on("error", () => {});
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength;
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }

  keepAlive(isNeeded: boolean): void {
    if (isNeeded) this.#socket.ref();
    else this.#socket.unref();
  }

  close(): void {
    this.#socket.end();
    this.#socket.destroySoon();
  }

  start(events: StreamEvents): void {
    this.#socket.on("data", (bytes: Buffer) => events.data(bytes));
    // It may have ended before anybody listened.
    if (this.#socket.closed) queueMicrotask(() => events.closed("closed by peer"));
    else this.#socket.once("close", (hadError) => events.closed(hadError ? "connection error" : "closed by peer"));
    // A half-open peer has nothing more to say that we could act on.
    this.#socket.once("end", () => this.#socket.destroySoon());
    // Whoever read its first frame may have paused it.
    this.#socket.resume();
  }
}
