import type { ChildProcessWithoutNullStreams } from "node:child_process";
import { chmodSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { targetOf, tryLeg } from "../../src/doctor/leg.ts";
import { type Ended, ended, type Options, postern, startPostern } from "./cli.ts";
import { ConfigFolder } from "./config-file.ts";
import { acmeSecret } from "./gateway.ts";
import { type Kamailio, startKamailio } from "./kamailio.ts";
import { freePort } from "./ports.ts";
import { credential, RawClient, status, unique } from "./raw-client.ts";
import { User } from "./scene.ts";
import { type Served, served } from "./served.ts";
import { temporaryDir } from "./temporary.ts";

export const exchangeSecret = "the-exchange-secret-of-the-rotation";

export const jwtSecret = "the-jwt-secret-of-acme-in-the-rotation";

export interface RotationSettings {
  /** The chain secret at the beginning. */
  readonly secret: string;
  readonly trunk?: string;
  /** Seconds: a grant's, and so the least that both secrets are taken; 3 by default. */
  readonly life?: number;
  /** In place of `secret: "…"` of the chain section. */
  readonly chain?: string;
  /** Files beside the config. */
  readonly files?: Readonly<Record<string, string>>;
}

/** Kamailio with a socket for RPC and a gateway in a process of its own, both with files that the command changes. */
export class Rotation {
  readonly folder: ConfigFolder;
  readonly config: string;
  readonly #dir: string;
  #kamailio: Kamailio;
  readonly gateway: Served;
  /** Both secrets are taken for as long as a grant lives. */
  readonly overlap: readonly string[];
  readonly #logs: string[] = [];
  readonly #clients: RawClient[] = [];

  private constructor(folder: ConfigFolder, dir: string, kamailio: Kamailio, gateway: Served, life: number) {
    this.folder = folder;
    this.config = join(folder.path, "postern.yaml");
    this.#dir = dir;
    this.#kamailio = kamailio;
    this.gateway = gateway;
    this.overlap = ["--overlap", `${life}`];
  }

  static async open(settings: RotationSettings): Promise<Rotation> {
    const dir = temporaryDir("rotation");
    const folder = new ConfigFolder();
    const kamailio = await startKamailio({
      chainSecret: settings.secret,
      dir,
      report: false,
      defines: { RPC_SOCKET: join(dir, "rpc.sock") },
    });
    for (const [name, content] of Object.entries(settings.files ?? {})) folder.write(name, content);
    const config = folder.write("postern.yaml", yaml(settings, kamailio.wsUrl, await freePort()));
    chmodSync(config, 0o600);
    try {
      const gateway = await served(startPostern(["serve", "-c", config]));
      return new Rotation(folder, dir, kamailio, gateway, settings.life ?? 3);
    } catch (error) {
      await kamailio.stop();
      throw error;
    }
  }

  get kamailio(): Kamailio {
    return this.#kamailio;
  }

  /** What Kamailio starts from. */
  get local(): string {
    return join(this.#dir, "local.cfg");
  }

  get socket(): string {
    return join(this.#dir, "rpc.sock");
  }

  /** Of all the Kamailios that there were. */
  get kamailioLog(): string {
    return [...this.#logs, this.#kamailio.log()].join("\n");
  }

  /** As after a power cut, and started by whoever watches over it. */
  async killKamailio(): Promise<void> {
    const { wsPort, udp } = this.#kamailio;
    await this.#kamailio.kill();
    this.#logs.push(this.#kamailio.log());
    const again = { chainSecret: "in local.cfg already", dir: this.#dir, keepLocal: true, report: false } as const;
    this.#kamailio = await startKamailio({ ...again, wsPort, udpPort: udp.port });
  }

  get args(): string[] {
    return ["rotate-chain", "-c", this.config, "--kamailio", this.local];
  }

  /** To its end. */
  run(more: readonly string[] = this.overlap, options: Options = {}): Promise<Ended> {
    return postern([...this.args, ...more], options);
  }

  start(more: readonly string[] = this.overlap): Command {
    return new Command(startPostern([...this.args, ...more]));
  }

  takes(secret: string): Promise<boolean> {
    return takes(this.#kamailio, secret);
  }

  /** Chain secrets that the running gateway takes. */
  async taken(): Promise<number> {
    const text = await (await fetch(`${this.gateway.adminUrl}/metrics`)).text();
    return Number(/^postern_chain_secrets (\d+)$/m.exec(text)?.[1]);
  }

  async stranger(name: string): Promise<User> {
    const client = await unhurried(() => RawClient.connect(this.gateway.gatewayUrl));
    this.#clients.push(client);
    const address = `${name}${unique().replace("-", ".")}@acme.example`;
    return new User(client, address, credential(address, { ttl: 3000 }));
  }

  async user(name: string): Promise<User> {
    const user = await this.stranger(name);
    const answered = await user.client.register(user.address, user.given);
    if (status(answered) !== 200) throw new Error(`not registered: ${answered}`);
    return user;
  }

  async close(): Promise<void> {
    for (const client of this.#clients) client.close();
    this.gateway.signal("SIGINT");
    await this.gateway.ended;
    await this.#kamailio.stop();
    this.folder.remove();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** On a machine that has no time the gateway takes nobody new for a moment (503): that is not what is tested here. */
export async function unhurried<T>(ask: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (tries === 60 || !String(error).includes("HTTP 503")) throw error;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** Whether Kamailio takes a leg under a secret. */
export async function takes({ wsUrl }: Kamailio, secret: string): Promise<boolean> {
  const target = await targetOf(wsUrl);
  const expiry = Math.floor(Date.now() / 1000) + 60;
  return (await tryLeg(target!, { proxyProtocol: "v1", algorithm: "sha256", secret, expiry })).kind === "taken";
}

/** The command while it runs, and what it has said so far. */
export class Command {
  readonly ended: Promise<Ended>;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: string[] = [];
  readonly #looks = new Set<() => void>();

  constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    this.ended = ended(child);
    child.stdin.end();
    createInterface(child.stderr).on("line", (line) => {
      this.#lines.push(line);
      for (const look of this.#looks) look();
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Until it says a line with this in it; rejects where it ends without. */
  said(text: string): Promise<void> {
    const spoken = new Promise<void>((resolve) => {
      const look = (): void => {
        if (this.#lines.some((line) => line.includes(text))) resolve();
      };
      this.#looks.add(look);
      look();
    });
    const over = this.ended.then(({ stderr }) => {
      if (!stderr.includes(text)) throw new Error(`it ended without saying "${text}":\n${stderr}`);
    });
    return Promise.race([spoken, over]);
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.ended;
  }
}

const yaml = (settings: RotationSettings, upstream: string, admin: number): string => `\
gateway:
  listen: "ws://127.0.0.1:0"
  limits: { messagesPerSecond: 0 }
upstream: { urls: ["${upstream}"] }
chain: { ${settings.chain ?? `secret: "${settings.secret}"`}, ttl: ${settings.life ?? 3} }   # of Kamailio
exchange: { secret: "${exchangeSecret}" }
admin: { listen: "http://127.0.0.1:${admin}" }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: k1, secret: ${acmeSecret} }]
    keys: [{ id: j1, alg: HS256, secret: ${jwtSecret} }]
    methods: [REGISTER, INVITE, ACK, CANCEL, BYE, UPDATE, INFO, OPTIONS]
    numbers: ["+3225887*"]
    callerId: "+3225887000"
    trunk: ${settings.trunk ?? "sip:127.0.0.9:5060"}
    limits: { connections: 0, calls: 0 }
`;
