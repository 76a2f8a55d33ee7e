import { WebSocketServer } from "ws";
import { listening } from "./child.ts";

/** Stands for Kamailio where only what is in front of it is measured: answers every request 200 and does no more. */
const server = new WebSocketServer({
  port: 0,
  host: "127.0.0.1",
  perMessageDeflate: false,
  handleProtocols: () => "sip",
});
server.on("connection", (socket) => {
  socket.on("message", (data: Buffer, binary) => {
    const text = data.toString("latin1");
    if (!text.startsWith("ACK ")) socket.send(ok(text), { binary });
  });
});
server.on("listening", () => listening((server.address() as { port: number }).port));

const takenOver = /^(?:Via|From|Call-ID|CSeq): .*\r\n/gm;
const dialogParts =
  "Record-Route: <sip:127.0.0.1;lr;transport=ws>\r\nContact: <sip:bob@callee.invalid;transport=ws>\r\n";

/** 200 with what a response takes over; to INVITE with a route and a Contact, to REGISTER with the binding. */
function ok(request: string): string {
  const headers = request.slice(0, request.indexOf("\r\n\r\n") + 2);
  const to = /^To: .*$/m.exec(headers)?.[0] ?? "";
  const tagged = to.includes(";tag=") ? to : `${to};tag=up`;
  const binding = request.startsWith("REGISTER") ? `${/^Contact: .*$/m.exec(headers)?.[0]}\r\n` : "";
  const more = request.startsWith("INVITE") ? dialogParts : binding;
  const kept = headers.match(takenOver)?.join("") ?? "";
  return `SIP/2.0 200 OK\r\n${kept}${tagged}\r\n${more}Content-Length: 0\r\n\r\n`;
}
