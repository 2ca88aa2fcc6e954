/**
 * Modules of Node that are taken where they are used, not imported: `crypto` costs a process 12 ms of its start, `zlib` 4, and
 * most processes never need them. Asking again costs nothing.
 */
export const crypto = (): typeof import("node:crypto") => process.getBuiltinModule("node:crypto");
export const filePromises = (): typeof import("node:fs/promises") => process.getBuiltinModule("node:fs/promises");
export const zlib = (): typeof import("node:zlib") => process.getBuiltinModule("node:zlib");
