import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { SignJWT } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { examplesIn, matches, send, spelled } from "../helpers/documented.ts";
import { startGateway, type TestGateway } from "../helpers/gateway.ts";
import { credential } from "../helpers/raw-client.ts";

const page = readFileSync(fileURLToPath(new URL("../../docs/exchange.md", import.meta.url)), "utf8");
const jwtSecret = "a-key-of-acme-for-tokens-in-tests-48-bytes-long.";

const examples = examplesIn(page);
let gateway: TestGateway;

beforeAll(async () => {
  gateway = await startGateway({
    upstreamUrls: ["ws://127.0.0.1:9"],
    acme: `\
    origins: ["https://www.acme.example"]
    keys: [{ id: j1, alg: HS256, secret: "${jwtSecret}" }]
`,
    more: `\
exchange: { secret: "the-exchange-secret-of-the-tests", ttl: 120 }
turn: { urls: ["stun:turn.acme.example", "turn:turn.acme.example"], secret: "the-turn-secret-of-the-tests" }
`,
  });
});

afterAll(() => gateway?.close());

const jwt = (claims: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT({ appID: "acme", userID: "alice", exp: Math.floor(Date.now() / 1000) + 60, ...claims })
    .setProtectedHeader({ alg: "HS256", kid: "j1" })
    .sign(Buffer.from(jwtSecret));

async function values(): Promise<Readonly<Record<string, string>>> {
  const alice = credential("alice@acme.example");
  const account = credential("acme");
  return {
    USERNAME: alice.username,
    PASSWORD: alice.password,
    JWT: await jwt(),
    NARROWED: await jwt({ maxSeconds: 60 }),
    KEY: account.password,
    EXPIRES: account.username.split(":")[0] ?? "",
  };
}

const http = (): string => gateway.gatewayUrl.replace(/^ws/, "http");

/** A second may pass between mint and answer, so that lifetimes are one less. */
const lifetimes = (json: string): string =>
  json
    .replace(/"ttl":(\d+)/, (_, ttl: string) => `"ttl":${Math.ceil(Number(ttl) / 10) * 10}`)
    .replace(/"refreshAfter":4[45]/, '"refreshAfter":45');

describe("docs/exchange.md", () => {
  it("has examples, every request with its answer", () => {
    expect(examples.length).toBeGreaterThan(9);
    expect(page.match(/```http/g)?.length).toBe(examples.length);
  });

  it.each(examples.map((example) => [example.request.split("\n")[0], example] as const))("%s", async (_, example) => {
    const response = await send(example.request, await values(), http);
    expect(response.status).toBe(example.status);
    const text = await response.text();
    if (example.kind === "json") matches(lifetimes(text), spelled(example.expected));
    if (example.kind === "js") matches(lifetimes(text), example.expected);
    if (example.kind !== "headers") return;
    for (const line of example.expected.split("\n")) {
      const [name = "", value] = line.split(": ", 2);
      expect(response.headers.get(name), name).toBe(value);
    }
  });
});
