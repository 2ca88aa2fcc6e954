/**
 * First frames of the streams that gateways take: from processes of their machine, from other gateways, and from machines that
 * join. Each is answered with one frame; after `Spliced` the stream belongs to the two ends.
 */
import { Agreement, Offer } from "./protocol-offer.ts";
import { bytes, opt, str, u53 } from "./schema.ts";
import { message } from "./service.ts";

/** A process asks its own machine's gateway for a stream to another machine. */
export const Dial = message(3, "Dial", { address: str });

/** A gateway asks another's for a stream to a process there. */
export const Splice = message(4, "Splice", {
  offer: Offer,
  name: str,
  /** `HOST:PORT` of who asks, as others name that machine; absent when it has no port. */
  from: opt(str),
});
/** It is there, and the stream begins behind this frame. */
export const Spliced = message(5, "Spliced", { agreed: Agreement });

/** The only thing that a machine without a certificate may ask for. `request` is a PKCS#10; empty without TLS. */
export const Join = message(6, "Join", { offer: Offer, token: bytes, role: str, id: str, request: bytes, clockMs: u53 });
export const Joined = message(7, "Joined", {
  agreed: Agreement,
  clusterId: str,
  secret: str,
  /** PEM; absent without TLS. */
  certificate: opt(str),
  authority: opt(str),
});

/** A machine's next certificate, for the name in the one with which it asks. */
export const Renew = message(8, "Renew", { offer: Offer, request: bytes, clockMs: u53 });
export const Renewed = message(9, "Renewed", { agreed: Agreement, certificate: str });

/** Anybody may ask what time it is: two clocks that differ are why certificates do not hold. */
export const AskClock = message(11, "AskClock", {});
export const TellClock = message(12, "TellClock", { clockMs: u53 });
