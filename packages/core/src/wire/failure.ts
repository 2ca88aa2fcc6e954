/** An operating error as one frame's body: code and facts. */
import { type ErrorCode, errorCatalogue, type Facts, RaiaError } from "../base/errors.ts";

export function failureBody({ code, facts }: RaiaError): readonly [ErrorCode, Facts] {
  return [code, facts];
}

export function readFailure(body: unknown): RaiaError {
  const [code, facts] = Array.isArray(body) ? (body as unknown[]) : [];
  const known = typeof code === "string" && Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : "PROTOCOL";
  return new RaiaError(known, typeof facts === "object" && facts !== null ? (facts as Facts) : {});
}
