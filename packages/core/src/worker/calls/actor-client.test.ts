import assert from "node:assert/strict";
import { test } from "node:test";
import { ActorClient } from "./actor-client.ts";

test("actor client: that the actor is dead is news, though control was started again and knows no incarnation", () => {
  const unreachable = { link: () => Promise.reject(new Error("nobody is there")), busyChanged: () => {} };
  const client = new ActorClient("a", "job", unreachable as never);
  client.update({ actorId: "a", state: "alive", incarnation: 3, address: "w" });
  client.update({ actorId: "a", state: "alive", incarnation: 2, address: "older" });
  assert.equal(client.view?.incarnation, 3);

  client.update({ actorId: "a", state: "dead", incarnation: 0, cause: { kind: "killed-by-user" } });
  assert.equal(client.view?.state, "dead");

  client.update({ actorId: "a", state: "alive", incarnation: 4, address: "w" });
  assert.equal(client.view?.state, "dead", "and final");
});
