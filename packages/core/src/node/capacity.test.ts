import assert from "node:assert/strict";
import { test } from "node:test";
import { readCapacity } from "./capacity.ts";
import { FakeHostProbe } from "./fake-host-probe.ts";
import { oomKillCounter } from "./memory-cgroup.ts";
import { MemoryReader } from "./memory-reader.ts";
import { privateBytesOf } from "./memory-process.ts";
import { realHostProbe } from "./real-host-probe.ts";

const GIB = 2 ** 30;
const MIB = 2 ** 20;
const meminfo = `MemTotal:       ${(16 * GIB) / 1024} kB\nMemFree:         1000000 kB\nMemAvailable:   ${(12 * GIB) / 1024} kB\n`;

const bareMachine = { "/proc/meminfo": meminfo, "/proc/self/cgroup": "0::/user.slice/session.scope\n" };

/** As in a Kubernetes pod with cgroup namespaces: 1.5 CPUs, 2 GiB. */
const podV2 = {
  "/proc/meminfo": meminfo,
  "/proc/self/cgroup": "0::/\n",
  "/sys/fs/cgroup/cpu.max": "150000 100000\n",
  "/sys/fs/cgroup/memory.max": `${2 * GIB}\n`,
  "/sys/fs/cgroup/memory.current": `${100 * MIB}\n`,
  "/sys/fs/cgroup/memory.stat": `anon 1000\nfile ${600 * MIB}\ninactive_anon 0\ninactive_file ${500 * MIB}\n`,
  "/sys/fs/cgroup/memory.events": "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\noom_group_kill 0\n",
};

/** As in a systemd service: the slice is limited, the service in it is not. */
const sliceV2 = {
  "/proc/meminfo": meminfo,
  "/proc/self/cgroup": "0::/work.slice/raia.service\n",
  "/sys/fs/cgroup/work.slice/raia.service/cpu.max": "max 100000\n",
  "/sys/fs/cgroup/work.slice/cpu.max": "300000 100000\n",
  "/sys/fs/cgroup/work.slice/raia.service/memory.max": "max\n",
  "/sys/fs/cgroup/work.slice/raia.service/memory.current": "1000\n",
  "/sys/fs/cgroup/work.slice/memory.max": `${4 * GIB}\n`,
  "/sys/fs/cgroup/work.slice/memory.current": "2000\n",
};

/** As in a Docker container under cgroup v1, where /proc names the host's path and the mount shows the container's own. */
const dockerV1 = {
  "/proc/meminfo": meminfo,
  "/proc/self/cgroup": "9:memory:/docker/4f2c\n4:cpu,cpuacct:/docker/4f2c\n1:name=systemd:/docker/4f2c\n",
  "/sys/fs/cgroup/memory/memory.limit_in_bytes": `${GIB}\n`,
  "/sys/fs/cgroup/memory/memory.usage_in_bytes": `${1000 * MIB}\n`,
  "/sys/fs/cgroup/memory/memory.stat": `cache 0\ninactive_file 1\ntotal_inactive_file ${200 * MIB}\n`,
  "/sys/fs/cgroup/memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 7\n",
  "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "200000\n",
  "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
};

/** A machine with cgroup v1 and no limits: memory says a number near 2^63. */
const unlimitedV1 = {
  "/proc/meminfo": meminfo,
  "/proc/self/cgroup": "4:memory:/\n1:cpu:/\n0::/\n",
  "/sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
  "/sys/fs/cgroup/memory/memory.usage_in_bytes": "1000\n",
  "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
  "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
};

test("capacity: the smaller of machine, affinity and control group, on each kind of machine", () => {
  const on = (files: Record<string, string>, cpus = 8) => readCapacity(new FakeHostProbe({ files, cpus }));

  assert.deepEqual(on(bareMachine), { cpus: 8, memoryBytes: 16 * GIB });
  assert.deepEqual(on(podV2), { cpus: 1, memoryBytes: 2 * GIB });
  assert.deepEqual(on(sliceV2), { cpus: 3, memoryBytes: 4 * GIB });
  assert.deepEqual(on(sliceV2, 2), { cpus: 2, memoryBytes: 4 * GIB });
  assert.deepEqual(on(dockerV1), { cpus: 2, memoryBytes: GIB });
  assert.deepEqual(on(unlimitedV1), { cpus: 8, memoryBytes: 16 * GIB });
  assert.deepEqual(on({ ...podV2, "/sys/fs/cgroup/cpu.max": "20000 100000\n" }).cpus, 1);
  assert.deepEqual(on({}), { cpus: 8, memoryBytes: 0 });
});

test("memory: what is used is told of the tighter of machine and group", () => {
  const read = (files: Record<string, string>) => new MemoryReader(new FakeHostProbe({ files })).read();

  assert.deepEqual(read(bareMachine), { usedBytes: 4 * GIB, totalBytes: 16 * GIB, bound: "machine" });
  assert.deepEqual(read(podV2), { usedBytes: 4 * GIB, totalBytes: 16 * GIB, bound: "machine" });
  assert.deepEqual(read({ ...podV2, "/sys/fs/cgroup/memory.current": `${GIB}` }), { usedBytes: GIB, totalBytes: 2 * GIB, bound: "cgroup" });
  assert.equal(read({}), undefined);
});

test("memory: near the limit, file cache that the kernel can drop is not counted", () => {
  const full = { ...podV2, "/sys/fs/cgroup/memory.current": `${2 * GIB}` };

  assert.equal(new MemoryReader(new FakeHostProbe({ files: full })).read()?.usedBytes, 2 * GIB - 500 * MIB);
  assert.equal(new MemoryReader(new FakeHostProbe({ files: dockerV1 })).read()?.usedBytes, 800 * MIB);
});

test("memory: the kernel's count of kills is read where it is, in a group or of the machine", () => {
  const count = (files: Record<string, string>) => oomKillCounter(new FakeHostProbe({ files }))();

  assert.equal(count(podV2), 3);
  assert.equal(count(dockerV1), 7);
  assert.equal(count({ ...bareMachine, "/proc/vmstat": "pgfault 1\noom_kill 2\n" }), 2);
  assert.equal(count({}), undefined);
});

test("memory: private bytes are those that no file and no other process has", () => {
  const status = "Name:\tnode\nVmRSS:\t  60000 kB\nRssAnon:\t   24000 kB\nRssFile:\t   34000 kB\nRssShmem:\t    2000 kB\n";
  const probe = new FakeHostProbe({ files: { "/proc/81/status": status } });

  assert.equal(privateBytesOf(probe, 81), 24_000 * 1024);
  assert.equal(privateBytesOf(probe, 82), undefined);
});

test("capacity and memory: this machine answers, whatever it is", { skip: process.platform !== "linux" }, () => {
  const { cpus, memoryBytes } = readCapacity(realHostProbe);
  const memory = new MemoryReader(realHostProbe).read();

  assert.ok(cpus >= 1 && memoryBytes > 64 * MIB);
  assert.ok(memory !== undefined && memory.usedBytes > 0 && memory.usedBytes <= memory.totalBytes);
  assert.ok(privateBytesOf(realHostProbe, process.pid)! > 8 * MIB);
});
