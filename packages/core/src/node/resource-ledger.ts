import { assert } from "../base/assert.ts";
import { fits, isDeviceResource, type ResourceSet, resourceSet, UNITS_PER_ONE, unitsOf } from "../base/resources.ts";

/**
 * Who holds what of one node (or of one bundle of a placement group: the same book over the bundle's own grant).
 *
 * What is free never goes below zero. A task that waits gives its CPU back; when it goes on, its process cannot be stopped
 * until a CPU is free, so what it cannot have at once is noted as owed, and the next CPU that comes back pays it before
 * anything new is granted. So grants never exceed what there is, and a node that is oversubscribed heals itself first.
 */
export class ResourceLedger {
  readonly total: ResourceSet;
  /** Units of each resource of `total` that are free. */
  readonly #free: Map<string, number>;
  /** `#free` as a set, made when somebody asks. */
  #available: ResourceSet | undefined;
  readonly #devices = new Map<string, Device[]>();
  readonly #leases = new Map<string, Lease>();
  /** Leases that are owed CPU, longest first. At most as many as there are leases. */
  readonly #owed = new Map<string, number>();

  /** @param devices for each device resource the devices and how much of each there is; without, indices count from 0 */
  constructor(total: ResourceSet, devices: DeviceShares = wholeDevices(total)) {
    this.total = total;
    this.#free = new Map(Object.entries(total));
    for (const [name, shares] of Object.entries(devices)) {
      const sum = shares.reduce((units, share) => units + share.units, 0);
      assert(sum === unitsOf(total, name), `${name}: devices add up to ${sum} units, total says ${unitsOf(total, name)}`);
      this.#devices.set(
        name,
        shares.map((share) => ({ index: share.index, total: share.units, free: share.units })),
      );
    }
  }

  get available(): ResourceSet {
    return (this.#available ??= resourceSet(this.#free));
  }

  /** CPU units that running tasks use beyond what there is. */
  get owedCpu(): number {
    let units = 0;
    for (const owed of this.#owed.values()) units += owed;
    return units;
  }

  /** Lends `request` to `leaseId`, all or nothing. `undefined` when it is not free now, be it only because no single device has the share. */
  acquire(leaseId: string, request: ResourceSet): Grant | undefined {
    assert(!this.#leases.has(leaseId), `lease ${leaseId} already holds resources`);
    if (!this.#hasFree(request)) return undefined;
    const devices = this.#takeDevices(request);
    if (devices === undefined) return undefined;
    for (const name in request) this.#change(name, -unitsOf(request, name));
    const grant: Grant = { resources: request, devices };
    this.#leases.set(leaseId, { grant, waiting: false });
    return grant;
  }

  /** Takes back all that the lease holds. */
  release(leaseId: string): void {
    const { grant, waiting } = this.#lease(leaseId);
    const owed = this.#owed.get(leaseId) ?? 0;
    this.#leases.delete(leaseId);
    this.#owed.delete(leaseId);
    const cpuNotHeld = waiting ? cpuOf(grant) : owed;
    for (const name in grant.resources) this.#change(name, unitsOf(grant.resources, name) - (name === "CPU" ? cpuNotHeld : 0));
    for (const [name, shares] of Object.entries(grant.devices))
      for (const share of shares) this.#device(name, share.index).free += share.units;
    this.#payOwed();
  }

  /** The lease's task waits: its CPU is free for others. Its devices, memory and custom resources stay its own. Safe to repeat. */
  block(leaseId: string): void {
    const lease = this.#lease(leaseId);
    if (lease.waiting) return;
    const owed = this.#owed.get(leaseId) ?? 0;
    this.#owed.delete(leaseId);
    this.#leases.set(leaseId, { grant: lease.grant, waiting: true });
    this.#change("CPU", cpuOf(lease.grant) - owed);
    this.#payOwed();
  }

  /** The lease's task goes on. Safe to repeat. @returns CPU units it is owed: it runs, and the node is oversubscribed by so much */
  unblock(leaseId: string): number {
    const lease = this.#lease(leaseId);
    if (!lease.waiting) return this.#owed.get(leaseId) ?? 0;
    this.#leases.set(leaseId, { grant: lease.grant, waiting: false });
    const needed = cpuOf(lease.grant);
    if (needed === 0) return 0;
    this.#owed.set(leaseId, needed);
    this.#payOwed();
    return this.#owed.get(leaseId) ?? 0;
  }

  /** The lease goes on with less. Its devices stay the same ones: it has been told which. */
  shrink(leaseId: string, resources: ResourceSet): Grant {
    const { grant, waiting } = this.#lease(leaseId);
    assert(fits(resources, grant.resources), `lease ${leaseId} cannot go on with more than it has`);
    assert(!waiting && !this.#owed.has(leaseId), `lease ${leaseId} waits`);
    for (const name in grant.resources) {
      const less = unitsOf(grant.resources, name) - unitsOf(resources, name);
      assert(less === 0 || !this.#devices.has(name), `${name}: devices are given back with the lease`);
      this.#change(name, less);
    }
    const left: Grant = { resources, devices: grant.devices };
    this.#leases.set(leaseId, { grant: left, waiting });
    this.#payOwed();
    return left;
  }

  holds(leaseId: string): Grant | undefined {
    return this.#leases.get(leaseId)?.grant;
  }

  leaseIds(): Iterable<string> {
    return this.#leases.keys();
  }

  /** Whether the request could be granted now, devices included, without granting it. */
  canGrant(request: ResourceSet): boolean {
    return (
      this.#hasFree(request) && [...this.#devices.keys()].every((name) => this.#chooseDevices(name, unitsOf(request, name)) !== undefined)
    );
  }

  #hasFree(request: ResourceSet): boolean {
    for (const name in request) if (unitsOf(request, name) > (this.#free.get(name) ?? 0)) return false;
    return true;
  }

  #change(name: string, units: number): void {
    if (units === 0) return;
    const free = (this.#free.get(name) ?? 0) + units;
    assert(free >= 0 && free <= unitsOf(this.total, name), `${name}: ${free} units free of ${unitsOf(this.total, name)}`);
    this.#free.set(name, free);
    this.#available = undefined;
  }

  #payOwed(): void {
    for (const [leaseId, owed] of this.#owed) {
      const paid = Math.min(owed, this.#free.get("CPU") ?? 0);
      if (paid === 0) return;
      this.#change("CPU", -paid);
      if (paid === owed) this.#owed.delete(leaseId);
      else this.#owed.set(leaseId, owed - paid);
    }
  }

  #takeDevices(request: ResourceSet): DeviceShares | undefined {
    const taken: { [name: string]: readonly DeviceShare[] } = {};
    for (const name of this.#devices.keys()) {
      const shares = this.#chooseDevices(name, unitsOf(request, name));
      if (shares === undefined) return undefined;
      if (shares.length > 0) taken[name] = shares;
    }
    for (const [name, shares] of Object.entries(taken)) for (const share of shares) this.#device(name, share.index).free -= share.units;
    return taken;
  }

  /** Whole devices first; a share goes to the fullest device that still has it, so that whole ones stay whole. */
  #chooseDevices(name: string, units: number): DeviceShare[] | undefined {
    const devices = this.#devices.get(name) ?? [];
    const wholeCount = Math.floor(units / UNITS_PER_ONE);
    const whole = devices.filter((device) => device.free === UNITS_PER_ONE).slice(0, wholeCount);
    if (whole.length < wholeCount) return undefined;
    const shares = whole.map(({ index }) => ({ index, units: UNITS_PER_ONE }));
    const rest = units - wholeCount * UNITS_PER_ONE;
    if (rest === 0) return shares;
    const fitting = devices.filter((device) => device.free >= rest && !whole.includes(device));
    const fullest = fitting.reduce<Device | undefined>(
      (best, device) => (best === undefined || device.free < best.free ? device : best),
      undefined,
    );
    return fullest === undefined ? undefined : [...shares, { index: fullest.index, units: rest }];
  }

  #device(name: string, index: number): Device {
    const device = this.#devices.get(name)?.find((candidate) => candidate.index === index);
    assert(device !== undefined, `there is no ${name} ${index}`);
    return device;
  }

  #lease(leaseId: string): Lease {
    const lease = this.#leases.get(leaseId);
    assert(lease !== undefined, `lease ${leaseId} holds nothing`);
    return lease;
  }
}

/** What one lease holds, and which devices with how many units of each: a whole GPU is 10,000. */
export interface Grant {
  readonly resources: ResourceSet;
  readonly devices: DeviceShares;
}

export type DeviceShares = { readonly [name: string]: readonly DeviceShare[] };

export interface DeviceShare {
  readonly index: number;
  readonly units: number;
}

interface Device {
  readonly index: number;
  readonly total: number;
  free: number;
}

interface Lease {
  readonly grant: Grant;
  readonly waiting: boolean;
}

function cpuOf(grant: Grant): number {
  return unitsOf(grant.resources, "CPU");
}

function wholeDevices(total: ResourceSet): DeviceShares {
  const entries = Object.entries(total).filter(([name]) => isDeviceResource(name));
  return Object.fromEntries(
    entries.map(([name, units]) => {
      assert(units % UNITS_PER_ONE === 0, `a node has whole devices only, got ${units / UNITS_PER_ONE} ${name}`);
      return [name, Array.from({ length: units / UNITS_PER_ONE }, (_, index) => ({ index, units: UNITS_PER_ONE }))];
    }),
  );
}
