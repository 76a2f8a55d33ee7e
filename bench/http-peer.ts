import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { listening } from "./child.ts";

/** The peer: node:http that reads a JSON body or a form, and answers what the exchange would, made once. */
const answer = JSON.stringify({
  username: `1795316516:user@acme.example;${"A".repeat(220)}`,
  password: "XlnO4iBXCi/RjaD0JrZULBFhpvA=",
  ttl: 300,
  refreshAfter: 225,
  uris: ["ws://127.0.0.1:36501"],
  uri: "sip:user@acme.example",
  iceServers: [],
});

const server = createServer(async (request, response) => {
  let body = "";
  for await (const chunk of request.setEncoding("utf8")) body += chunk;
  if (request.headers["content-type"] === "application/json") JSON.parse(body);
  response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(answer) });
  response.end(answer);
});
server.keepAliveTimeout = 60_000;
server.listen(0, "127.0.0.1", () => listening((server.address() as AddressInfo).port));
