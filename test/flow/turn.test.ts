import { type ChildProcess, execFile, spawn } from "node:child_process";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type IceServer, iceServers } from "../../src/exchange/ice.ts";
import { freePort } from "../helpers/ports.ts";
import { temporaryDir } from "../helpers/temporary.ts";

const secret = "the-turn-secret-of-the-tests";
const dir = temporaryDir("coturn");
let port: number;
let coturn: ChildProcess;

/** Its own config file: a secret does not belong into argv. */
const config = (): string => `\
listening-ip=127.0.0.1
listening-port=${port}
relay-ip=127.0.0.1
realm=acme.example
use-auth-secret
static-auth-secret=${secret}
allow-loopback-peers
no-tls
no-dtls
no-cli
no-multicast-peers
pidfile=${join(dir, "pid")}
userdb=${join(dir, "db")}
log-file=stdout
simple-log
`;

/** Exit code of coturn's own client, which allocates and sends two messages through the relay. */
const allocate = ({ username = "", credential = "" }: IceServer): Promise<number> =>
  new Promise((resolve) => {
    const flags = ["-u", username, "-w", credential, "-e", "127.0.0.1", "-n", "1", "-m", "1", "-y", "-p", String(port)];
    const client = execFile("turnutils_uclient", [...flags, "127.0.0.1"], { timeout: 20_000 });
    client.once("close", (code) => resolve(code ?? -1));
  });

/** For a minute from then. ago: seconds. */
function minted(own: string, ago = 0): IceServer {
  const now = Math.floor(Date.now() / 1000) - ago;
  const turn = { urls: [`turn:127.0.0.1:${port}`], secret: own, ttl: 60 };
  return iceServers(turn, "alice@acme.example", now)[0]!;
}

beforeAll(async () => {
  port = await freePort("127.0.0.1");
  writeFileSync(join(dir, "turn.conf"), config(), { mode: 0o600 });
  coturn = spawn("turnserver", ["-c", join(dir, "turn.conf")], { cwd: dir, stdio: ["ignore", "pipe", "ignore"] });
  await new Promise<void>((resolve, reject) => {
    let said = "";
    coturn.once("error", reject).once("exit", () => reject(new Error(said)));
    coturn.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes("SQLite DB connection success")) resolve();
    });
  });
});

afterAll(async () => {
  const gone = new Promise((resolve) => coturn?.once("exit", resolve));
  coturn?.kill("SIGKILL");
  await gone;
  rmSync(dir, { recursive: true, force: true });
});

describe("a credential of iceServers at a real coturn", () => {
  it("gets an allocation", async () => {
    expect(await allocate(minted(secret))).toBe(0);
  });

  it("twin: gets none under another secret, nor with another user's stamp", async () => {
    expect(await allocate(minted("another-secret-of-the-tests"))).not.toBe(0);
    const { username = "", credential = "" } = minted(secret);
    expect(await allocate({ urls: [], username: username.replace("alice", "bob"), credential })).not.toBe(0);
  });

  it("twin: gets none when it has ended", async () => {
    expect(await allocate(minted(secret, 100))).not.toBe(0);
  });
});
