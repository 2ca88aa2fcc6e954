import assert from "node:assert/strict";
import { test } from "node:test";
import { RaiaError } from "../base/errors.ts";
import { formatMachine, isLoopback, isSocketName, parseMachine, parseProcess } from "./machine-address.ts";

test("machine address: hosts, IPv4 and IPv6, there and back", () => {
  for (const text of ["head.example:6379", "10.0.0.1:1", "[2001:db8::1]:65535", "localhost:0"]) {
    assert.equal(formatMachine(parseMachine(text)), text);
  }
  assert.deepEqual(parseMachine("[::1]:80"), { host: "::1", port: 80 });
});

test("machine address: of a process; a path is none", () => {
  assert.deepEqual(parseProcess("10.0.0.1:6379/w-0a1b"), { machine: "10.0.0.1:6379", name: "w-0a1b" });
  assert.equal(parseProcess("/tmp/raia/s/w-0a1b"), undefined);
});

test("machine address: what could name another file or nothing is refused", () => {
  const wrong = ["", "..", ".", "a/b", "../head", "a..b/..", "a\0b", "-x", "x".repeat(25), "gateway", "a b", "ä", ".hidden"];
  for (const name of wrong) assert.equal(isSocketName(name), false, name);
  for (const address of [
    ...wrong.map((name) => `10.0.0.1:1/${name}`),
    "10.0.0.1/w",
    "10.0.0.1:99999/w",
    "::1:80/w",
    "host:port/w",
    "w",
    "@:1/w",
  ])
    assert.throws(
      () => parseProcess(address),
      (error) => RaiaError.is(error, "INVALID_ARGUMENT"),
      address,
    );
});

test("machine address: which hosts are this machine only", () => {
  for (const host of ["127.0.0.1", "127.9.9.9", "localhost", "::1"]) assert.equal(isLoopback(host), true, host);
  for (const host of ["0.0.0.0", "10.0.0.1", "127.evil.example", "::", "localhost.example"]) assert.equal(isLoopback(host), false, host);
});
