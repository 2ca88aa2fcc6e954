// @ts-check
/** Running npm from a program, so that it works under a chosen Node.js, inside an outer `npm run`, and behind a company's proxy. */
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import process from "node:process";

/** Where operating systems keep the certificate authorities that they trust: Debian, Fedora, Alpine and macOS. */
const systemAuthorities = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/** Arguments of every installation: no dependency runs code while it is installed, and nothing but errors is printed. */
export const quietly = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];

/**
 * The environment for an npm process.
 *
 * @param {string} nodeFolder the folder of the Node.js binary that npm shall run on
 * @returns {NodeJS.ProcessEnv}
 */
export function npmEnvironment(nodeFolder) {
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...process.env, PATH: nodeFolder + delimiter + (process.env.PATH ?? ""), ONNXRUNTIME_NODE_INSTALL: "skip" };
  // Set by an outer `npm run`; it would make this npm work in the outer one's folder.
  delete env.npm_config_local_prefix;
  // Node.js brings its own list of authorities. Behind a company's proxy the machine's list is the one that counts, as for curl and git.
  env.NODE_EXTRA_CA_CERTS ??= systemAuthorities.find((path) => existsSync(path));
  return env;
}
