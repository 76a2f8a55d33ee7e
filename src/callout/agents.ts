import http, { type AgentOptions, type ClientRequestArgs } from "node:http";
import https, { type RequestOptions } from "node:https";
import type { Duplex } from "node:stream";

/** Connections to one origin at once, and how many are kept for a next request: of one origin, and in all. */
const [perOrigin, idlePerOrigin, mostIdle] = [16, 4, 32];
const idleMs = 4000;

const options: AgentOptions = {
  keepAlive: true,
  maxSockets: perOrigin,
  maxFreeSockets: idlePerOrigin,
  timeout: idleMs,
};

/** What a request says of its connection beside what Node knows: the addresses that were judged. */
export interface Judged {
  readonly judged?: string;
}

/** A kept connection serves only what was judged for the same addresses. */
class HttpAgent extends http.Agent {
  override getName(of?: ClientRequestArgs & Judged): string {
    return `${super.getName(of)} ${of?.judged ?? ""}`;
  }

  override keepSocketAlive(socket: Duplex): unknown {
    return idle(this) < mostIdle && super.keepSocketAlive(socket);
  }
}

class HttpsAgent extends https.Agent {
  override getName(of?: RequestOptions & Judged): string {
    return `${super.getName(of)} ${of?.judged ?? ""}`;
  }

  override keepSocketAlive(socket: Duplex): unknown {
    return idle(this) < mostIdle && super.keepSocketAlive(socket);
  }
}

const idle = (agent: http.Agent): number =>
  Object.values(agent.freeSockets).reduce((sum, sockets) => sum + (sockets?.length ?? 0), 0);

export interface Agents {
  readonly http: http.Agent;
  readonly https: https.Agent;
}

/** Our own, for Node's global ones may follow the environment's proxy variables. ca: PEM, in the place of Node's roots. */
export const openAgents = (ca: string | undefined): Agents => ({
  http: new HttpAgent(options),
  https: new HttpsAgent({ ...options, rejectUnauthorized: true, ...(ca !== undefined && { ca }) }),
});
