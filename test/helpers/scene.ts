import { createHmac } from "node:crypto";
import {
  acmeSecret,
  chainSecret,
  type GatewaySettings,
  globexSecret,
  startGateway,
  type TestGateway,
} from "./gateway.ts";
import { type Kamailio, type Seen, startKamailio } from "./kamailio.ts";
import {
  type AnswerChanges,
  type Credential,
  credential,
  RawClient,
  type RawClientOptions,
  status,
  unique,
} from "./raw-client.ts";
import type { RequestParts } from "./raw-sip.ts";
import { startTrunk, type Trunk, type TrunkOptions } from "./trunk.ts";

export interface SceneSettings extends Omit<GatewaySettings, "upstreamUrls" | "trunk"> {
  readonly trunk?: TrunkOptions["scenario"];
}

const secrets: Readonly<Record<string, string>> = { "acme.example": acmeSecret, "globex.example": globexSecret };

/** A credential for a username exactly as written, however wrong. */
export const signed = (username: string, secret = acmeSecret, algorithm = "sha1"): Credential => ({
  username,
  password: createHmac(algorithm, secret).update(username).digest("base64"),
});

export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

/** Somebody with a socket and a credential. */
export class User {
  readonly client: RawClient;
  readonly address: string;
  given: Credential;

  constructor(client: RawClient, address: string, given: Credential) {
    this.client = client;
    this.address = address;
    this.given = given;
  }

  get name(): string {
    return this.address.split("@", 1)[0]!;
  }

  get domain(): string {
    return this.address.slice(this.name.length + 1);
  }

  /** What register and every request show. */
  get contact(): string {
    return `<sip:${this.name}@${this.name}.invalid;transport=ws>`;
  }

  parts(method: string, uri: string, more: Partial<RequestParts> = {}): RequestParts {
    const to = /^sips?:([^@;?]+@(?:\[[^\]]*\]|[^@:;?]+))/.exec(uri)?.[1] ?? this.address;
    const ids = { fromTag: `f${unique()}`, callId: `${method.toLowerCase()}-${unique()}`, cseq: 1 };
    return { method, uri, from: this.address, to, ...ids, ...more };
  }

  prove(
    method: string,
    uri: string,
    more: Partial<RequestParts> = {},
    changes: AnswerChanges = {},
    edit?: (text: string) => string,
  ): Promise<string> {
    return this.client.prove(this.parts(method, uri, more), this.given, changes, edit);
  }
}

/** A real Kamailio with gateways in front of it, and what came through them. */
export class Scene {
  readonly kamailio: Kamailio;
  readonly gateway: TestGateway;
  readonly #trunk: Trunk | undefined;
  readonly #more: TestGateway[] = [];
  readonly #clients: RawClient[] = [];

  private constructor(kamailio: Kamailio, gateway: TestGateway, trunk: Trunk | undefined) {
    this.kamailio = kamailio;
    this.gateway = gateway;
    this.#trunk = trunk;
  }

  static async open({ trunk: scenario, ...settings }: SceneSettings = {}): Promise<Scene> {
    const trunk = scenario && (await startTrunk({ host: "127.0.0.9", scenario }));
    const kamailio = await startKamailio({ chainSecret });
    const upstream = { upstreamUrls: [kamailio.wsUrl], ...(trunk && { trunk: trunk.uri }) };
    return new Scene(kamailio, await startGateway({ ...upstream, ...settings }), trunk);
  }

  get trunk(): Trunk {
    if (!this.#trunk) throw new TypeError("this scene has no trunk");
    return this.#trunk;
  }

  /** One more gateway before the same Kamailio. */
  async another(settings: Omit<GatewaySettings, "upstreamUrls">): Promise<TestGateway> {
    const trunk = this.#trunk && { trunk: this.#trunk.uri };
    const gateway = await startGateway({ upstreamUrls: [this.kamailio.wsUrl], ...trunk, ...settings });
    this.#more.push(gateway);
    return gateway;
  }

  async connect(options: RawClientOptions = {}, gateway: TestGateway = this.gateway): Promise<RawClient> {
    const client = await RawClient.connect(gateway.gatewayUrl, options);
    this.#clients.push(client);
    return client;
  }

  /** A user whom nobody else is, on a socket of their own, not yet proved. */
  async stranger(name: string, domain = "acme.example", gateway: TestGateway = this.gateway): Promise<User> {
    const address = `${name}${unique().replace("-", ".")}@${domain}`;
    const given = credential(address, { secret: secrets[domain] ?? acmeSecret, ttl: 3000 });
    return new User(await this.connect({}, gateway), address, given);
  }

  /** The same, registered. */
  async user(name: string, domain = "acme.example", gateway: TestGateway = this.gateway): Promise<User> {
    const user = await this.stranger(name, domain, gateway);
    const answered = await user.client.register(user.address, user.given);
    if (status(answered) !== 200) throw new Error(`not registered: ${answered}`);
    return user;
  }

  /**
   * What came to Kamailio with this Call-ID. Asked only after a request that was begun later has come there: through a
   * new connection, and through the given one, whose leg keeps its order.
   */
  async arrived(callId: string, through?: User): Promise<Seen[]> {
    await this.#fence(await this.stranger("fence", "globex.example"));
    if (through) await this.#fence(through);
    return this.kamailio.saw().filter((seen) => seen.way === "in" && seen.raw.includes(`${callId}\r\n`));
  }

  /** The one message that came to Kamailio with this Call-ID and this method, now or soon. */
  came(callId: string, method: string): Promise<Seen> {
    return this.kamailio.waitFor(
      (seen) => seen.way === "in" && seen.method === method && seen.header("Call-ID") === callId,
    );
  }

  async #fence(user: User): Promise<void> {
    const callId = `fence-${unique()}`;
    const answered = await user.prove("OPTIONS", `sip:${user.domain}`, { callId });
    if (status(answered) !== 200) throw new Error(`the fence was refused: ${answered}`);
    await this.came(callId, "OPTIONS");
  }

  async close(): Promise<void> {
    const gateways = [this.gateway, ...this.#more];
    const lost = gateways.flatMap((gateway) => gateway.log().filter(({ msg }) => msg === "upstream lost"));
    for (const client of this.#clients) client.close();
    await Promise.all(gateways.map((gateway) => gateway.close()));
    await this.#trunk?.stop();
    await this.kamailio.stop();
    if (this.kamailio.log().includes("from shm pool")) throw new Error("Kamailio had too little shared memory");
    // Kamailio closes a leg over which came what it cannot read.
    if (lost.length > 0) throw new Error(`Kamailio closed legs: ${JSON.stringify(lost)}`);
  }
}
