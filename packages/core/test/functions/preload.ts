/** Gives a program the round trip as globals. */
import { finish, refused, trip } from "./trip.ts";

Object.assign(globalThis, { trip, refused, finishTrips: finish });
