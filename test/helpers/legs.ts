import type { Kamailio } from "./kamailio.ts";
import { header, isReply, type RequestParts, recordRoutes, request, tagOf, uriOf } from "./raw-sip.ts";
import { startTrunk, type Trunk, type TrunkOptions } from "./trunk.ts";
import { type GrantOptions, grant, openUpstream, type UpstreamClient, withHeaders } from "./upstream-client.ts";

/** Legs made by hand towards a Kamailio, without a gateway: what Kamailio does is seen by itself. */

export const chainSecret = "0123456789abcdef0123456789abcdef";
export const domain = "acme.example";
/** What every leg here announces, from the range of RFC 5737. */
export const announcedHost = "203.0.113.7";

type More = Partial<GrantOptions>;
let count = 0;

export const granted = (user: string, more: More = {}): ReturnType<typeof grant> =>
  grant({ secret: chainSecret, user, domain, ...more });

export const uniqueId = (): string => `${process.pid}-${count++}`;

export function registerOf(user: string, extra: Partial<RequestParts> = {}, more: More = {}): string {
  const own = `${user}@${domain}`;
  const ids = { fromTag: "r", callId: `register-${uniqueId()}`, cseq: count };
  const plain = request({ method: "REGISTER", uri: `sip:${domain}`, from: own, to: own, ...ids, ...extra });
  return withHeaders(plain, granted(user, more));
}

export interface Call {
  readonly callId: string;
  readonly from: string;
  readonly to: string;
  readonly invite: string;
}

/** A call of user@acme.example to target@acme.example, with what the gateway adds. */
export function callOf(user: string, target: string, more: More = {}, extra: Partial<RequestParts> = {}): Call {
  const callId = `call-${uniqueId()}`;
  const from = `${user}@${domain}`;
  const to = `${target}@${domain}`;
  const plain = request({ method: "INVITE", uri: `sip:${to}`, from, to, fromTag: "caller", callId, cseq: 1, ...extra });
  const asserted = { "P-Asserted-Identity": `<sip:${from}>` };
  return { callId, from, to, invite: withHeaders(plain, { ...granted(user, more), ...asserted }) };
}

/** A request of the caller in the dialog that the 200 made. */
export function withinCall(call: Call, ok: string, method: string, extra: Partial<RequestParts> = {}): string {
  const user = call.from.split("@", 1)[0] ?? "";
  const parts = {
    method,
    uri: uriOf(header(ok, "Contact")),
    from: call.from,
    to: call.to,
    fromTag: "caller",
    toTag: tagOf(header(ok, "To")),
    callId: call.callId,
    cseq: method === "ACK" ? 1 : ++count + 1,
    routes: recordRoutes(ok).reverse(),
    ...extra,
  };
  return withHeaders(request(parts), granted(user));
}

/** CANCEL as its INVITE demands it (RFC 3261 9.1). */
export const cancelOf = (call: Call): string =>
  call.invite
    .replace(/^INVITE/, "CANCEL")
    .replace("CSeq: 1 INVITE", "CSeq: 1 CANCEL")
    .replace(/P-Asserted-Identity:.*\r\n/, "")
    .replace(/Contact:.*\r\n/, "");

/** Legs and trunks of one test file, closed together. */
export class Legs {
  readonly #kamailio: () => Kamailio;
  readonly #clients: UpstreamClient[] = [];
  readonly #trunks: Trunk[] = [];

  constructor(kamailio: () => Kamailio) {
    this.#kamailio = kamailio;
  }

  /** A leg that announces announcedHost:port; not registered. */
  async open(user: string, port: number): Promise<UpstreamClient> {
    const announce = { host: announcedHost, port };
    const opened = await openUpstream({ url: this.#kamailio().wsUrl, headers: granted(user), announce });
    if (!opened.ok) throw new Error(`handshake refused with ${opened.status}`);
    this.#clients.push(opened.client);
    return opened.client;
  }

  async registered(user: string, port: number): Promise<UpstreamClient> {
    const client = await this.open(user, port);
    client.send(registerOf(user));
    await client.waitFor((message) => isReply(message, 200, "REGISTER"));
    return client;
  }

  async trunk(scenario: TrunkOptions["scenario"], options: Partial<TrunkOptions> = {}): Promise<Trunk> {
    const trunk = await startTrunk({ host: "127.0.0.9", scenario, ...options });
    this.#trunks.push(trunk);
    return trunk;
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.splice(0).map((client) => client.close()));
    await Promise.all(this.#trunks.splice(0).map((trunk) => trunk.stop()));
  }
}
