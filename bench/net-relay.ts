import { type AddressInfo, connect, createServer } from "node:net";
import { listening } from "./child.ts";

/** The floor for Node: bytes from one TCP socket to another, WebSocket not even decoded. */
const upstream = new URL(process.argv[2]!);
const server = createServer({ noDelay: true }, (client) => {
  const far = connect({ port: Number(upstream.port), host: upstream.hostname, noDelay: true });
  client.on("data", (bytes) => far.write(bytes));
  far.on("data", (bytes) => client.write(bytes));
  client.on("close", () => far.destroy());
  far.on("close", () => client.destroy());
  client.on("error", () => client.destroy());
  far.on("error", () => far.destroy());
});
server.listen(0, "127.0.0.1", () => listening((server.address() as AddressInfo).port));
