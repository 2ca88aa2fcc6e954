import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { checkPlacementGroup } from "./placement-group-options.ts";

function refused(bundles: unknown, options: unknown = {}): RaiaError {
  try {
    checkPlacementGroup(bundles, options);
  } catch (error) {
    assert.ok(RaiaError.is(error, "INVALID_OPTION"), String(error));
    return error;
  }
  assert.fail("it was taken");
}

test("a group: the names of resources, counts as for tasks, a selector for each bundle", () => {
  const bundles = [{ CPU: 2, GPU: 0.5, memory: 1000 }, { licence: 1 }];
  const options = {
    strategy: "STRICT_SPREAD",
    name: "team",
    lifetime: "detached",
    bundleLabelSelector: [{ region: "eu" }, {}],
    topologyStrategy: { "ray.io/gpu-domain": "STRICT_PACK" },
  };
  assert.deepEqual(checkPlacementGroup(bundles, options), {
    strategy: "STRICT_SPREAD",
    bundles: [
      { resources: { CPU: 20_000, GPU: 5_000, memory: 1000 }, labelSelector: { region: "eu" } },
      { resources: { licence: 10_000 }, labelSelector: {} },
    ],
    sameLabels: ["ray.io/gpu-domain"],
    detached: true,
    name: "team",
  });
  assert.deepEqual(checkPlacementGroup([{ CPU: 1 }], {}), {
    strategy: "PACK",
    bundles: [{ resources: { CPU: 10_000 } }],
    sameLabels: [],
    detached: false,
  });
});

test("a group: what is wrong is named where it stands", () => {
  const wrong: [bundles: unknown, options: unknown, option: string, rule: RegExp][] = [
    [undefined, {}, "bundles", /a list of 1 to 1000 bundles/],
    [{ CPU: 1 }, {}, "bundles", /a list of 1 to 1000 bundles/],
    [[], {}, "bundles", /a list of 1 to 1000 bundles/],
    [Array.from({ length: 1001 }, () => ({ CPU: 1 })), {}, "bundles", /a list of 1 to 1000 bundles/],
    [[{ CPU: 1 }, {}], {}, "bundles[1]", /must have something/],
    [[{ CPU: 0 }], {}, "bundles[0]", /must have something/],
    [[1], {}, "bundles[0]", /a record of resources/],
    [[{ CPU: Number.NaN }], {}, "bundles[0].CPU", /^bundles\[0\]\.CPU must be a number/],
    [[{ CPU: -1 }], {}, "bundles[0].CPU", /must not be negative/],
    [[{ CPU: Number.POSITIVE_INFINITY }], {}, "bundles[0].CPU", /./],
    [[{ GPU: 1.5 }], {}, "bundles[0].GPU", /a share of one device, or a whole number/],
    [[{ disk: "1" }], {}, "bundles[0].disk", /must be a number/],
    [[{ numCpus: 1 }], {}, "bundles[0].numCpus", /did you mean CPU/],
    [[{ CPU: 1 }], { strategy: "STRICT_SPRED" }, "strategy", /did you mean STRICT_SPREAD/],
    [[{ CPU: 1 }], { strategi: "PACK" }, "strategi", /did you mean strategy/],
    [[{ CPU: 1 }], { name: "" }, "name", /text of 1 to 256/],
    [[{ CPU: 1 }], { lifetime: "for ever" }, "lifetime", /"detached"/],
    [[{ CPU: 1 }], { bundleLabelSelector: [{}, {}] }, "bundleLabelSelector", /a selector for each of the 1 bundles/],
    [[{ CPU: 1 }], { bundleLabelSelector: [{ "": "x" }] }, "bundleLabelSelector[0]", /./],
    [[{ CPU: 1 }], { topologyStrategy: { rack: "PACK" } }, "topologyStrategy.rack", /STRICT_PACK/],
    [[{ CPU: 1 }], 7, "options", /a record/],
  ];
  for (const [bundles, options, option, rule] of wrong) {
    const { facts } = refused(bundles, options);
    assert.equal(facts["option"], option);
    assert.match(facts["rule"] as string, rule, option);
  }
});
