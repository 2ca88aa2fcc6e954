/**
 * The one codec of messages: plain msgpack without shared structures, so every frame can be read by itself. The package's
 * main entry would load a native addon that speeds up strings, at 10 ms of every process start; this entry does not.
 */
import { Packr } from "msgpackr/pack";

export const packr = new Packr({ useRecords: false, int64AsType: "number", mapsAsObjects: true });
