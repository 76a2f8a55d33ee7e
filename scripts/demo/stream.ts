import type { FastifyReply } from "fastify";
import { problem } from "../../src/api/http.ts";
import type { Ladder, Told } from "./ladder.ts";

/** Bytes that may wait for a page that does not read; it is cut off then, and asks anew. */
const mostWaiting = 4_000_000;

/** Answers with the ladder line by line, a JSON text each, for as long as the page reads. Ends with `stop`. */
export function stream(reply: FastifyReply, ladder: Ladder, stop: AbortSignal): FastifyReply {
  const { raw } = reply;
  const begun: Told[] = [];
  let write = (told: Told): void => void begun.push(told);
  const leave = ladder.read((told) => write(told));
  if (!leave) return problem(reply, 429, "this ladder is being read already", "rate-limited");
  reply.hijack();
  raw.writeHead(200, {
    "content-type": "application/x-ndjson",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  raw.flushHeaders();
  write = (told) => {
    if (raw.writableLength > mostWaiting) raw.destroy();
    else raw.write(`${JSON.stringify(told)}\n`);
  };
  for (const told of begun) write(told);
  const end = (): void => void raw.end();
  stop.addEventListener("abort", end);
  raw.once("close", () => {
    leave();
    stop.removeEventListener("abort", end);
  });
  return reply;
}
