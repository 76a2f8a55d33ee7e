import { WebSocketServer } from "ws";
import { reportUsage } from "./usage.ts";

/** Stands for Kamailio where only what is in front of it is measured: answers every request 200 and does no more. */
const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  perMessageDeflate: false,
  handleProtocols: () => "sip",
});
server.on("connection", (socket) => {
  socket.on("message", (data: Buffer, binary) => socket.send(ok(data), { binary }));
});
server.on("listening", () => reportUsage((server.address() as { port: number }).port));

/** 200 with the fields that a response takes over, as lines out of the request. */
function ok(request: Buffer): string {
  const lines = request.toString("latin1").split("\r\n");
  const kept = lines.filter((line) => /^(Via|From|Call-ID|CSeq|Contact):/.test(line));
  const to = lines.find((line) => line.startsWith("To:")) ?? "";
  const tagged = to.includes(";tag=") ? to : `${to};tag=up`;
  return ["SIP/2.0 200 OK", ...kept, tagged, "Content-Length: 0", "", ""].join("\r\n");
}
