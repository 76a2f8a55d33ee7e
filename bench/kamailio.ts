import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type KamailioSettings, type RunningKamailio, startKamailio } from "../scripts/kamailio.ts";
import { benchChain, benchSecret } from "./load.ts";
import { freePort } from "./peers.ts";

export interface BenchKamailio {
  readonly url: string;
  readonly running: RunningKamailio;
}

async function settings(dir: string): Promise<KamailioSettings> {
  const [ws, udp] = [await freePort(), await freePort()];
  return {
    dir,
    ws: [`127.0.0.1:${ws}`],
    udp: [`127.0.0.1:${udp}`],
    chainSecrets: [benchChain],
    algorithm: "sha256",
    proxyProtocol: false,
  };
}

/** The configuration that Postern comes with: grants, registrar, bindings written through to SQLite. */
export async function startBehind(dir: string): Promise<BenchKamailio> {
  const all = { ...(await settings(dir)), proxyProtocol: true };
  return { running: await startKamailio(all), url: `ws://${all.ws[0]}` };
}

/**
 * Kamailio as it is without a gateway: browsers on its own WebSocket, `auth_ephemeral` for the digest, one secret for
 * each customer, the caller's in the middle of the list, bindings in memory.
 */
export async function startAlone(dir: string, secrets: number): Promise<BenchKamailio> {
  mkdirSync(dir, { recursive: true });
  const file = join(dir, "alone.cfg");
  writeFileSync(file, aloneConfiguration(secrets));
  const all = { ...(await settings(dir)), configuration: file };
  return { running: await startKamailio(all), url: `ws://${all.ws[0]}` };
}

function aloneConfiguration(secrets: number): string {
  const others = Array.from({ length: secrets - 1 }, (_, at) => `${benchSecret}-${at}`);
  const middle = others.length >> 1;
  const list = [...others.slice(0, middle), benchSecret, ...others.slice(middle)];
  return `#!KAMAILIO
include_file "local.cfg"
debug=0
tcp_accept_no_cl=yes
tcp_max_connections=16384
${["pv", "kex", "corex", "tm", "sl", "siputils", "textops", "xhttp", "websocket", "auth", "auth_ephemeral", "nathelper", "usrloc", "registrar"].map((name) => `loadmodule "${name}.so"`).join("\n")}
modparam("auth", "qop", "auth")
modparam("auth", "nonce_expire", 3600)
${list.map((secret) => `modparam("auth_ephemeral", "secret", "${secret}")`).join("\n")}
modparam("auth_ephemeral", "sha_algorithm", 0)
modparam("registrar", "gruu_enabled", 0)
modparam("nathelper|registrar", "received_avp", "$avp(received)")
request_route {
	if (!autheph_www("acme.example")) {
		auth_challenge("acme.example", "1");
		exit;
	}
	fix_nated_register();
	if (!save("location")) sl_reply_error();
	exit;
}
event_route[xhttp:request] {
	set_reply_close();
	set_reply_no_connect();
	if (!ws_handle_handshake()) xhttp_reply("404", "Not Found", "", "");
	exit;
}
`;
}
