/** What a function captures and cannot take along: refused at the call, with the path to it and the way out. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { connect, createServer } from "node:net";
import { after, describe, test } from "node:test";
import { testCluster } from "@raia/testing/fixtures/cluster";
import { get, type RaiaError, remote } from "../../src/index.ts";

testCluster();

const server = createServer();
const service = { pool: { socket: connect("/nonexistent").on("error", () => {}) } };
const channel = new MessageChannel();
after(() => {
  channel.port1.close();
  channel.port2.close();
});

/** An error that names the way to what cannot travel, what that is, and what to do. */
function refused(call: () => unknown, path: RegExp, reason: RegExp): void {
  assert.throws(call, (error: RaiaError) => {
    assert.equal(error.code, "FUNCTION_UNCAPTURABLE");
    const { path: found, reason: why, wayOut } = error.facts as Readonly<Record<string, string>>;
    assert.match(found ?? "", path);
    assert.match(why ?? "", reason);
    assert.ok((wayOut ?? "").length > 10, "no way out");
    return true;
  });
}

class Vault {
  #secret = 1;
  get secret(): number {
    return this.#secret;
  }
  asker() {
    return remote(() => this.secret);
  }
}

describe("captures", () => {
  test("a socket, a server, a port: what belongs to this process, by its path", () => {
    refused(() => remote(() => server.listening).remote(), /-> server$/, /Server, which belongs to this process/);
    refused(
      () => remote(() => service.pool.socket.destroyed).remote(),
      /-> service -> pool -> socket$/,
      /Socket, which belongs to this process/,
    );
    refused(() => remote(() => channel.port1.onmessage === null).remote(), /-> channel/, /MessageChannel, which belongs to this process/);
  });

  test("a proxy, a promise, a running generator, shared memory", () => {
    const proxy = new Proxy({ a: 1 }, {});
    const promise = Promise.resolve(1);
    const running = (function* () {
      yield 1;
    })();
    const shared = new SharedArrayBuffer(8);
    refused(() => remote(() => proxy.a).remote(), /-> proxy$/, /a Proxy/);
    refused(() => remote(async () => promise).remote(), /-> promise$/, /a promise/);
    refused(() => remote(() => running.next().value).remote(), /-> running$/, /running generator/);
    refused(() => remote(() => shared.byteLength).remote(), /-> shared$/, /./);
  });

  test("an outer this, an instance with private members", () => {
    const vault = new Vault();
    refused(() => vault.asker().remote(), /./, /`this` of the function around it/);
    refused(() => remote(() => vault.secret).remote(), /-> vault$/, /private members \(#secret\)/);
  });

  test("a variable that is written: each process has its own, and the caller's stays as it was", async () => {
    let count = 10;
    const increment = remote(() => ++count);
    assert.ok((await get(increment.remote())) > 10);
    assert.equal(count, 10);
  });

  test("what is refused leaves nothing: the same worker runs what comes next", async () => {
    assert.equal(await get(remote(() => 5).remote()), 5);
  });
});

describe("classes that nobody exports", () => {
  class Bus extends EventEmitter {
    heard = 0;
    listen(): this {
      return this.on("ring", () => this.heard++);
    }
    ring(): number {
      this.emit("ring");
      return this.heard;
    }
  }
  class Samples extends Float64Array {
    sum(): number {
      return this.reduce((sum, x) => sum + x, 0);
    }
  }
  class OutOfRange extends RangeError {
    override name = "OutOfRange";
    limit = 3;
  }

  test("with a native parent, as an actor", async () => {
    class Alarm extends Bus {
      constructor() {
        super();
        this.listen();
      }
    }
    const alarm = remote(Alarm).remote();
    assert.equal(await get(alarm.ring.remote()), 1);
    assert.equal(await get(alarm.ring.remote()), 2);
  });

  test("with a native parent, made and used inside a task", async () => {
    assert.equal(await get(remote(() => new Samples([1, 2, 3]).sum()).remote()), 6);
  });

  test("thrown: the native parent, the name and the properties arrive", async () => {
    const fail = remote((): void => {
      throw new OutOfRange("too far");
    });
    await assert.rejects(get(fail.remote()), (error: OutOfRange) => {
      assert.ok(error instanceof RangeError);
      assert.deepEqual([error.name, error.message, error.limit], ["OutOfRange", "too far", 3]);
      return true;
    });
  });

  test("as a value: an error that names it, never something plain", () => {
    const echo = remote((value: unknown) => value);
    for (const value of [new Samples([1]), new (class Ages extends Map<string, number> {})()]) {
      assert.throws(
        () => echo.remote({ list: [value] }),
        (error: RaiaError) =>
          error.code === "UNSERIALIZABLE" && error.facts["path"] === "$[0].list[0]" && error.facts["type"] === value.constructor.name,
        value.constructor.name,
      );
    }
  });
});
