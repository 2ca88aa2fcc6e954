/**
 * Streams between processes of many machines. Within a machine they are Unix sockets; to another machine they go through this
 * machine's gateway, which holds the keys: a process never does.
 */
import { connect, type Socket } from "node:net";
import { RaiaError } from "../base/errors.ts";
import { answerOf, FirstFrameReader, MAX_ANSWER_BYTES, messageFrame } from "./first-frame.ts";
import { Dial, Spliced } from "./gateway-messages.ts";
import { ipcTransport, SocketStream } from "./ipc-transport.ts";
import { GATEWAY_SOCKET, parseProcess } from "./machine-address.ts";
import type { ByteStream, Listener, Transport } from "./transport.ts";

export interface GatewayTransportOptions {
  /** This machine's `HOST:PORT`; absent where it has no port of its own, and no address of another machine can be its own. */
  readonly machine?: string;
  /** The path of a socket in this machine's session directory. */
  socketPath(name: string): string;
}

export class GatewayTransport implements Transport {
  readonly #options: GatewayTransportOptions;

  constructor(options: GatewayTransportOptions) {
    this.#options = options;
  }

  async listen(address: string, onStream: (stream: ByteStream) => void): Promise<Listener> {
    const local = this.#localPath(address);
    if (local === undefined)
      throw new RaiaError("INVALID_ARGUMENT", { address, machine: this.#options.machine, reason: "not of this machine" });
    return { ...(await ipcTransport.listen(local, onStream)), address };
  }

  async dial(address: string): Promise<ByteStream> {
    const local = this.#localPath(address);
    return local === undefined ? dialThrough(this.#options.socketPath(GATEWAY_SOCKET), address) : ipcTransport.dial(local);
  }

  #localPath(address: string): string | undefined {
    const process = parseProcess(address);
    if (process === undefined) return address;
    return process.machine === this.#options.machine ? this.#options.socketPath(process.name) : undefined;
  }
}

function dialThrough(gatewayPath: string, address: string): Promise<ByteStream> {
  const { promise, resolve, reject } = Promise.withResolvers<ByteStream>();
  const socket = connect(gatewayPath);
  const reader = new FirstFrameReader(MAX_ANSWER_BYTES);
  const lost = (error?: NodeJS.ErrnoException): void => {
    const facts = { cause: "no-gateway", address, reason: "this machine's gateway does not answer", errno: error?.code };
    reject(new RaiaError("CONNECTION_LOST", facts, { cause: error }));
  };
  const onData = (chunk: Buffer): void => {
    try {
      const first = reader.push(chunk);
      if (first === undefined) return;
      answerOf(Spliced, first);
      resolve(handOver(socket, first.rest, onData));
    } catch (error) {
      reject(error);
      socket.destroy();
    }
  };
  socket.once("error", lost);
  socket.once("close", () => lost());
  socket.once("connect", () => socket.write(messageFrame(Dial, { address })));
  socket.on("data", onData);
  return promise;
}

/** From here on it is the stream's. Nothing is read before the stream is started, and what was read already comes first. */
function handOver(socket: Socket, rest: Buffer, onData: (chunk: Buffer) => void): ByteStream {
  socket.pause();
  socket.removeListener("data", onData);
  if (rest.length > 0) socket.unshift(rest);
  return new SocketStream(socket);
}
