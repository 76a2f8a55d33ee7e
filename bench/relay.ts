import { WebSocket, WebSocketServer } from "ws";
import { listening } from "./child.ts";

/** The peer: a bare 1:1 relay on the same library, which looks at nothing. */
const upstream = process.argv[2]!;
const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  perMessageDeflate: false,
  handleProtocols: () => "sip",
});
server.on("connection", (client) => {
  const far = new WebSocket(upstream, "sip", { perMessageDeflate: false });
  client.pause();
  far.on("open", () => client.resume());
  client.on("message", (data: Buffer, binary) => far.send(data, { binary }));
  far.on("message", (data: Buffer, binary) => client.send(data, { binary }));
  client.on("close", () => far.close());
});
server.on("listening", () => listening((server.address() as { port: number }).port));
