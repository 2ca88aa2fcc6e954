import assert from "node:assert/strict";
import { test } from "node:test";
import { parseResources } from "../base/resources.ts";
import type { WorkerDemand } from "../messages/common.ts";
import { neverHere } from "./lease-placement-policy.ts";

const node = { nodeId: "n1", labels: { region: "eu" } };
const total = parseResources({ numCpus: 2 });
const none = parseResources({});

function why(asked: Partial<WorkerDemand>, numCpus = 1): string | undefined {
  const demand: WorkerDemand = {
    jobId: "j",
    name: "task",
    resources: parseResources({ numCpus }),
    runtimeEnv: { hash: "", envVars: {} },
    isolation: "process",
    strategy: { kind: "DEFAULT" },
    launch: { execArgv: [], cwd: "/" },
    mayRerun: true,
    ...asked,
  };
  return neverHere(demand, node, total, none);
}

test("placement: what is only busy is a matter of time", () => {
  assert.equal(why({}), undefined);
  assert.equal(why({}, 3), "needs CPU 3, node has 2 in total, 0 free");
});

test("placement: another node is never this one, unless it is a soft wish", () => {
  assert.match(why({ strategy: { kind: "NODE", nodeId: "n2", soft: false } }) ?? "", /^wants node n2/);
  assert.equal(why({ strategy: { kind: "NODE", nodeId: "n2", soft: true } }), undefined);
  assert.equal(why({ strategy: { kind: "NODE", nodeId: "n1", soft: false } }), undefined);
});

test("placement: a label that the node has not, and fallbacks", () => {
  assert.equal(why({ labelSelector: { region: "us" } }), "wants label region us, node has eu");
  assert.equal(why({ labelSelector: { region: "us" }, fallbackSelectors: [{ region: "!us" }] }), undefined);
  assert.equal(why({ labelSelector: { region: "us" }, fallbackSelectors: [{ zone: "a" }] }), "wants label region us, node has eu");
  assert.equal(why({ labelSelector: { region: "in(us,eu)" } }), undefined);
});
