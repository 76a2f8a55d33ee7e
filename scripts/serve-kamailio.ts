import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadConfig } from "../src/config.ts";
import { startKamailio } from "./kamailio.ts";

/**
 * `npm run kamailio`: the Kamailio of this checkout for the gateway that a config describes, to try both on one
 * machine: at its first upstream url, under its chain secrets, trunks on UDP, sound by the rtpengine that is named. Data in .cache/kamailio. Until Ctrl-C.
 */
const { values } = parseArgs({
  options: {
    config: { type: "string", short: "c", default: "postern.yaml" },
    udp: { type: "string", default: "127.0.0.1:5060" },
    rtpengine: { type: "string" },
    dir: { type: "string", default: ".cache/kamailio" },
  },
});
const loaded = loadConfig(values.config, process.env);
if (loaded.kind === "faults") {
  for (const { line, path, message } of loaded.faults) console.error(`${values.config}:${line}: ${path}: ${message}`);
  process.exit(2);
}
const { upstream, chain, admin } = loaded.config;
const rpc = join(resolve(values.dir), "rpc.sock");
const url = new URL(upstream.urls[0]!);
const kamailio = await startKamailio({
  dir: resolve(values.dir),
  ws: [`${url.hostname}:${url.port || 80}`],
  udp: [values.udp],
  chainSecrets: chain.secrets.slice(0, 2),
  algorithm: chain.algorithm,
  proxyProtocol: upstream.proxyProtocol !== "off",
  // For `postern rotate-chain --kamailio .cache/kamailio/local.cfg`, where the path is short enough for a socket.
  defines: {
    POSTERN_ADMIN: admin.listen,
    ...(rpc.length <= 100 && { RPC_SOCKET: rpc }),
    ...(values.rtpengine && { RTPENGINE: values.rtpengine }),
  },
});
console.error(
  `kamailio at ${url.href} for the gateway and udp:${values.udp} for trunks; its data in ${join(values.dir)}`,
);
kamailio.process.stderr?.pipe(process.stderr);
kamailio.process.once("close", () => process.exit(1));
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    kamailio.process.removeAllListeners("close");
    void kamailio.stop().then(() => process.exit(0));
  });
}
