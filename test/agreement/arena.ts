import { createHash } from "node:crypto";
import { createSocket, type Socket } from "node:dgram";
import { rmSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type RunningKamailio, startKamailio } from "../../scripts/kamailio.ts";
import { Ring } from "../../src/telemetry/ring.ts";
import type { Traced } from "../../src/telemetry/trace.ts";
import { chainSecret, startGateway, type TestGateway } from "../helpers/gateway.ts";
import { freePort } from "../helpers/ports.ts";
import { temporaryDir } from "../helpers/temporary.ts";
import { signToken } from "../helpers/tokens.ts";
import { Reports } from "./report.ts";
import { incoming } from "./texts.ts";

const report = fileURLToPath(new URL("../fixtures/agreement-report.cfg", import.meta.url));
const jwtSecret = "the-jwt-secret-of-acme-in-agreement-tests";
const methods = "REGISTER INVITE ACK CANCEL BYE UPDATE INFO PRACK OPTIONS MESSAGE SUBSCRIBE NOTIFY REFER PUBLISH".split(
  " ",
);

/** Of the token of a connection, which ends with it. */
export const tokenSeconds = 290;

const unlimited = [
  "failuresPerMinute",
  "messagesPerSecond",
  "connectionsPerAddress",
  "memoryMegabytes",
  "preAuthSeconds",
];

/** Who is told of what the gateway did with a connection's messages. */
export interface Watcher {
  fromClient(bytes: Buffer): void;
  toUpstream(bytes: Buffer): void;
  verdict(code: string): void;
}

interface Parts {
  readonly kamailio: RunningKamailio;
  readonly dir: string;
  readonly udpPort: number;
  readonly gateway: TestGateway;
  readonly watchers: Map<number, Watcher>;
  readonly deafen: () => void;
}

export const md5 = (bytes: Buffer): string => createHash("md5").update(bytes).digest("hex");

/** A gateway before a real Kamailio that reports what it parsed, and an ear in the gateway. */
export class Arena {
  readonly reports: Reports;
  readonly #parts: Parts;
  readonly #udp: Socket;

  private constructor(parts: Parts) {
    this.reports = new Reports(parts.kamailio.process.stderr!);
    this.#parts = parts;
    this.#udp = createSocket("udp4");
  }

  static async open(): Promise<Arena> {
    const [wsPort, udpPort, dir] = [await freePort(), await freePort(), temporaryDir("agreement")];
    const kamailio = await startKamailio({
      dir,
      ws: [`127.0.0.1:${wsPort}`],
      udp: [`127.0.0.1:${udpPort}`],
      chainSecrets: [chainSecret],
      algorithm: "sha256",
      proxyProtocol: true,
      report,
      memory: 1024,
    });
    const watchers = new Map<number, Watcher>();
    const deafen = listen(watchers);
    const gateway = await startGateway({
      upstreamUrls: [`ws://127.0.0.1:${wsPort}`],
      gateway: `  limits: { ${unlimited.map((name) => `${name}: 0`).join(", ")} }`,
      acme: [
        `    keys: [{ id: j1, alg: HS256, secret: ${jwtSecret} }]`,
        `    methods: [${methods.join(", ")}]`,
        "    passHeaders: [X-Case]",
        "    limits: { connections: 0, calls: 0 }",
      ].join("\n"),
    });
    return new Arena({ kamailio, dir, udpPort, gateway, watchers, deafen });
  }

  /** Where alice connects, with a token for it. */
  async url(): Promise<string> {
    const now = Math.floor(Date.now() / 1000);
    const claims = { sub: "alice@acme.example", iat: now, exp: now + tokenSeconds };
    const token = await signToken({ alg: "HS256", kid: "j1" }, claims, jwtSecret);
    return `${this.#parts.gateway.gatewayUrl}/?access_token=${token}`;
  }

  /** port: of the client's socket. */
  watch(port: number, watcher: Watcher): void {
    this.#parts.watchers.set(port, watcher);
  }

  unwatch(port: number): void {
    this.#parts.watchers.delete(port);
  }

  /** Have Kamailio send an INVITE to the leg that announced this port. */
  call(announced: number): void {
    this.#udp.send(Buffer.from(incoming(announced), "latin1"), this.#parts.udpPort, "127.0.0.1");
  }

  /** What Kamailio said besides its reports. */
  get complaints(): string[] {
    const lines = this.#parts.kamailio.log().split("\n");
    return lines.filter((line) => line !== "" && !line.includes(" AGREEMENT "));
  }

  async close(): Promise<void> {
    this.#parts.deafen();
    this.#udp.close();
    await this.#parts.gateway.close();
    await this.#parts.kamailio.stop();
    rmSync(this.#parts.dir, { recursive: true, force: true });
  }
}

/** The gateway tells its ring of every message and verdict; here somebody else listens in its place. */
function listen(watchers: ReadonlyMap<number, Watcher>): () => void {
  const { message, verdict } = Ring.prototype;
  Ring.prototype.message = ({ way, line }: Traced, bytes: Buffer): void => {
    const watcher = watchers.get(line.client.port);
    if (way === "from-client") watcher?.fromClient(bytes);
    if (way === "to-upstream") watcher?.toUpstream(bytes);
  };
  Ring.prototype.verdict = (traced?: Traced): void => {
    if (traced?.way === "from-client") watchers.get(traced.line.client.port)?.verdict(traced.verdict?.code ?? "");
  };
  return () => Object.assign(Ring.prototype, { message, verdict });
}
