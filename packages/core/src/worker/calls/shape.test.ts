import assert from "node:assert/strict";
import { test } from "node:test";
import type { LeaseChannel } from "./lease-channel.ts";
import { Shape } from "./shape.ts";

const lease = (inFlight: number, room = 256 - inFlight): LeaseChannel => ({ inFlight, room, lastResultAtMs: 0 }) as unknown as LeaseChannel;

test("shape: a suspect has nobody behind it, whose result it could take along, and takes nothing of another", () => {
  const alone = new Shape("alone", undefined as never, 2, true);
  assert.deepEqual([alone.roomOn(lease(0)), alone.roomOn(lease(1))], [1, 0]);
  assert.equal(alone.roomOn(lease(0, 0)), 0, "a lease that is over takes none of them either");
  alone.leases.push(lease(3));
  assert.equal(alone.victimOf(lease(1), 1000, true), undefined);

  const usual = new Shape("usual", undefined as never, 2, false);
  assert.equal(usual.roomOn(lease(1)), 255);
});
