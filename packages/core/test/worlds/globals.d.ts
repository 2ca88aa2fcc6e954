/** What the preload gives to programs that cannot import it. */
declare const trip: typeof import("../functions/trip.ts").trip;
declare const refused: typeof import("../functions/trip.ts").refused;
declare const finishTrips: typeof import("../functions/trip.ts").finish;
