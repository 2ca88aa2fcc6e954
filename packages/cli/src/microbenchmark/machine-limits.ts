/** What this machine allows, measured in the same run: the yardsticks of every other row. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Figure, measure, type MeasureOptions } from "./measure.ts";

const FRAME_BYTES = 64;
const IN_FLIGHT = 1000;

export interface MachineLimits {
  /** One 64-byte frame to another Node process and back, repeated. */
  readonly roundTrips: Figure;
  /** The same with 1,000 frames under way, written and read in batches. */
  readonly pipelined: Figure;
  /** GB/s of a copy between two warm buffers of 800 MiB. */
  readonly memoryCopy: Figure;
}

export async function measureLimits(options: MeasureOptions): Promise<MachineLimits> {
  const directory = mkdtempSync(join(tmpdir(), "raia-bench-"));
  const path = join(directory, "echo");
  const echo = spawn(process.execPath, [fileURLToPath(new URL(`./echo-process${extension()}`, import.meta.url)), path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await new Promise<void>((resolve, reject) => {
      echo.stdout?.once("data", () => resolve());
      echo.once("exit", (code) => reject(new Error(`the echo process ended: exit code ${code}`)));
    });
    const socket = connect(path);
    await new Promise<void>((resolve) => socket.once("connect", () => resolve()));
    const exchange = exchangeOver(socket);
    const roundTrips = await measure("raw socket round trip", () => exchange(1), 1, options);
    const pipelined = await measure("raw socket, 1,000 in flight", () => exchange(IN_FLIGHT), IN_FLIGHT, options);
    socket.destroy();
    return { roundTrips, pipelined, memoryCopy: await measureCopy(options) };
  } finally {
    echo.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

function extension(): string {
  return import.meta.url.slice(import.meta.url.lastIndexOf("."));
}

/** Sends frames, each with a promise of its own, one write for all of a turn; resolves when all have come back. */
function exchangeOver(socket: Socket): (count: number) => Promise<unknown> {
  const waiting: (() => void)[] = [];
  let received = 0;
  socket.on("data", (bytes: Buffer) => {
    received += bytes.length;
    const frames = Math.floor(received / FRAME_BYTES);
    received -= frames * FRAME_BYTES;
    for (const resolve of waiting.splice(0, frames)) resolve();
  });
  return (count) => {
    const answers: Promise<void>[] = [];
    const frames = Buffer.allocUnsafe(count * FRAME_BYTES);
    for (let i = 0; i < count; i++) {
      frames.writeUInt32LE(FRAME_BYTES - 4, i * FRAME_BYTES);
      answers.push(new Promise((resolve) => waiting.push(resolve)));
    }
    socket.write(frames);
    return Promise.all(answers);
  };
}

const COPY_BYTES = 800 * 1024 * 1024;

function measureCopy(options: MeasureOptions): Promise<Figure> {
  const source = Buffer.alloc(COPY_BYTES, 1);
  const target = Buffer.alloc(COPY_BYTES, 2);
  return measure("memcpy (GB/s)", () => target.set(source), COPY_BYTES / 1e9, options);
}
