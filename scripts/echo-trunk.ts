/** `node scripts/echo-trunk.ts [--host 127.0.0.1] [--port 5060]`: a trunk to try calls with, until it is stopped. */
import { lookup } from "node:dns/promises";
import { parseArgs } from "node:util";
import { startEchoTrunk } from "./trunk/echo.ts";

const { values } = parseArgs({
  options: {
    host: { type: "string", default: "127.0.0.1" },
    port: { type: "string", default: "5060" },
  },
});
// Its SDP names an address.
const { address } = await lookup(values.host, { family: values.host.includes(":") ? 6 : 4 });
const trunk = await startEchoTrunk({
  host: address,
  port: Number(values.port),
  onMessage: (message) => console.log(`${message.split("\r\n\r\n", 1)[0]?.replaceAll("\r\n", "\n")}\n`),
});
console.error(`echo trunk on ${trunk.uri}`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => trunk.stop());
