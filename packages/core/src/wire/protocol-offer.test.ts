import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { agree, checkAgreement, type Offer } from "./protocol-offer.ts";

const offer = (minVersion: number, maxVersion: number, features: readonly string[] = [], needs: readonly string[] = []): Offer => ({
  minVersion,
  maxVersion,
  features,
  needs,
});

test("offer: a version and the one before talk, in what both can", () => {
  assert.deepEqual(agree(offer(2, 3, ["a", "b"]), offer(1, 2, ["b", "c"])), { version: 2, features: ["b"] });
  assert.deepEqual(agree(offer(1, 2), offer(2, 3)), { version: 2, features: [] });
});

test("offer: two that do not fit are told both versions and the first thing that does not fit", () => {
  const misfitOf = (ours: Offer, theirs: Offer) => {
    try {
      agree(ours, theirs);
    } catch (error) {
      return RaiaError.is(error, "PROTOCOL") ? [error.facts["misfit"], error.facts["ours"], error.facts["theirs"]] : error;
    }
    return undefined;
  };
  assert.deepEqual(misfitOf(offer(3, 4), offer(1, 2)), ["version", "3 to 4", "1 to 2"]);
  assert.deepEqual(misfitOf(offer(1, 1), offer(2, 3)), ["version", "1", "2 to 3"]);
  assert.deepEqual(misfitOf(offer(1, 2, ["zip"], ["zip"]), offer(1, 2)), ["feature zip", "1 to 2", "1 to 2"]);
  assert.deepEqual(misfitOf(offer(1, 2), offer(1, 2, ["zip"], ["zip"])), ["feature zip", "1 to 2", "1 to 2"]);
});

test("offer: an answer may not choose what was not offered, nor drop what is needed (D-T51)", () => {
  const ours = offer(2, 3, ["seal", "zip"], ["seal"]);
  checkAgreement(ours, { version: 2, features: ["seal"] });
  for (const answer of [
    { version: 1, features: ["seal"] },
    { version: 4, features: ["seal"] },
    { version: 3, features: ["zip"] },
    { version: 3, features: ["seal", "other"] },
  ])
    assert.throws(
      () => checkAgreement(ours, answer),
      (error) => RaiaError.is(error, "PROTOCOL"),
    );
});
