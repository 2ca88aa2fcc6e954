/** The most that options may ask for, each with its reason. */

/** Timers of Node count milliseconds in 31 bits; a longer one would fire at once. 24.8 days. */
export const MAX_TIMEOUT_MS = 2_147_483_647;

/** Each result is an entry in its owner from the moment of the call; past this a stream is the form. */
export const MAX_RETURNS = 10_000;

/** Retries and restarts are counted in 31 bits on the wire; -1 is for more. */
export const MAX_RETRIES = 2_147_483_647;

/** Calls of one process that run at a time. Each holds its arguments; ten times what one event loop can serve. */
export const MAX_CONCURRENCY = 1_000_000;

/** Each group has a queue. */
export const MAX_CONCURRENCY_GROUPS = 100;

/** Items that a stream's producer may be ahead of its consumer: each is held by both sides. */
export const MAX_BACKPRESSURE_ITEMS = 1_000_000;

/** A name crosses the wire and stands in logs and file names. */
export const MAX_NAME_CHARS = 256;

/** Bundles of one placement group: their places are found together. */
export const MAX_BUNDLES = 1_000;

/** Selectors that are tried in turn. */
export const MAX_FALLBACKS = 64;

/** What the kernel takes for one variable: 32 pages. */
export const MAX_ENV_CHARS = 131_072;
/** The environment shares the space of the arguments (2 MiB as a rule) with what the worker inherits. */
export const MAX_ENV_TOTAL_CHARS = 1_048_576;

/** Files of a working directory are hashed at the first call; larger trees belong in an image or on a shared disk. */
export const MAX_WORKING_DIR_BYTES = 104_857_600;
export const MAX_WORKING_DIR_FILES = 20_000;

/** Tasks of one `map` under way: each has a frame, a promise and a place in the order. */
export const MAX_MAP_CONCURRENCY = 65_536;
/** Items in one task of `map`: past this a batch hides nothing more of what a task costs. */
export const MAX_MAP_BATCH = 65_536;

/** Values that wait in an `ActorPool` for a free actor. */
export const MAX_POOL_PENDING = 1_000_000;

/** Calls that wait at one side of a `Queue`; each is a call under way in its actor. */
export const MAX_QUEUE_WAITERS = 100_000;

/** Items in a `Queue` that was given no size: its actor holds them in its heap. */
export const MAX_QUEUE_ITEMS = 10_000_000;

/** Bytes of shared memory for objects: the least that its table of blocks is made for, and the most that it can count. */
export const MIN_STORE_BYTES = 1_048_576;
export const MAX_STORE_BYTES = 17_592_186_044_416;

/** Control keeps the code of a detached actor for as long as the actor lives. */
export const MAX_DETACHED_CODE_BYTES = 10_485_760;
