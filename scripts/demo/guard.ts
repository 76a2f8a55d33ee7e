import type { FastifyReply, FastifyRequest } from "fastify";
import { problem } from "../../src/api/http.ts";

const loopback = /^(?:127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;

/** The names by which a browser on this machine may come. Another one that leads here is somebody else's (DNS rebinding). */
export const hostsOf = (port: number): string[] => ["localhost", "127.0.0.1", "[::1]"].map((name) => `${name}:${port}`);

/** Whether a request is for the demo at all: of this machine, under a name of it. Otherwise it is answered. */
export function isHere(request: FastifyRequest, reply: FastifyReply, hosts: readonly string[]): boolean {
  const { remoteAddress = "" } = request.raw.socket;
  if (loopback.test(remoteAddress) && hosts.includes(request.headers.host?.toLowerCase() ?? "")) return true;
  problem(reply, 403, `the demo is for this machine alone: open http://${hosts[0]}/demo/ on it`);
  return false;
}

/** Whether it is the demo's own page that asks (Fetch Metadata, Origin), or no page. Otherwise it is answered. */
export function isOwnPage({ headers }: FastifyRequest, reply: FastifyReply, hosts: readonly string[]): boolean {
  const { origin, "sec-fetch-site": site = "none" } = headers;
  const isOwn = origin === undefined || hosts.some((host) => origin.toLowerCase() === `http://${host}`);
  if (isOwn && (site === "same-origin" || site === "none")) return true;
  problem(reply, 403, "this is for the demo's own page alone", "origin-denied");
  return false;
}
