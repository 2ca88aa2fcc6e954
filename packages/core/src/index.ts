/** What users import. */
export { RaiaError, type ErrorCode, errorCatalogue } from "./base/errors.ts";
export { exitActor, getActor, kill, type KillOptions } from "./api/actor-class.ts";
export { init, type InitInfo, type InitOptions, isInitialized, shutdown } from "./api/init.ts";
export { cancel, type CancelOptions, free, get, onOutOfScope, put, wait } from "./api/objects.ts";
export { remote } from "./api/remote.ts";
export { registerCodec } from "./values/class-registry.ts";
export { ObjectRef } from "./worker/object-ref.ts";
export { ObjectRefStream } from "./worker/object-stream.ts";
