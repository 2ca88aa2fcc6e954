/** Something between two machines: it passes bytes on, and may keep or change them. */
import { connect, createServer, type Server, type Socket } from "node:net";
import { parseMachine } from "../../src/wire/machine-address.ts";

export type Direction = "there" | "back";

export class Proxy {
  readonly address: string;
  /** What came from those who dial, in order. */
  readonly captured: Buffer[];
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(address: string, captured: Buffer[], server: Server, sockets: Set<Socket>) {
    this.address = address;
    this.captured = captured;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(target: string, change: (bytes: Buffer, direction: Direction) => Buffer = (bytes) => bytes): Promise<Proxy> {
    const captured: Buffer[] = [];
    const sockets = new Set<Socket>();
    const server = createServer((near) => {
      const far = connect(parseMachine(target));
      for (const [from, to, direction] of [
        [near, far, "there"],
        [far, near, "back"],
      ] as const) {
        sockets.add(from);
        from.on("error", () => {});
        from.on("close", () => to.destroy());
        from.on("data", (bytes: Buffer) => {
          if (direction === "there") captured.push(Buffer.from(bytes));
          to.write(change(bytes, direction));
        });
      }
    });
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as { port: number };
    return new Proxy(`127.0.0.1:${port}`, captured, server, sockets);
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((done) => this.#server.close(done));
  }
}
