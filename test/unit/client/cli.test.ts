import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { jssipClient } from "../../helpers/clients.ts";
import { password, type Relay, startRelay } from "../../helpers/relay.ts";

const main = fileURLToPath(new URL("../../../src/cli/main.ts", import.meta.url));
const good = JSON.stringify({ username: "2000000000:alice", password, ttl: 300 });
let relay: Relay;

interface Said {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

/** `postern client …` with the credentials on stdin. */
async function postern(words: readonly string[], credentials: string): Promise<Said> {
  const common = ["--url", relay.url, "--uri", "sip:alice@acme.example", "--credentials", "-"];
  const child = spawn(process.execPath, [main, "client", ...words, ...common], { stdio: "pipe" });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  child.stdin.end(credentials);
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  return { exit: await exit, out, err };
}

beforeEach(async () => {
  relay = await startRelay();
});
afterEach(() => relay.stop());

describe("postern client register", () => {
  it("exits 0 and prints status and ladder as JSON, without the proof", async () => {
    const { exit, out } = await postern(["register", "--json"], good);
    const printed = JSON.parse(out);
    expect(printed).toMatchObject({ ok: true, status: 200, code: null });
    const starts = printed.ladder.map(({ message }: { message: string }) => message.split("\r\n", 1)[0]);
    expect(starts.slice(0, 4)).toEqual([
      "REGISTER sip:acme.example SIP/2.0",
      "SIP/2.0 401 Unauthorized",
      "REGISTER sip:acme.example SIP/2.0",
      "SIP/2.0 200 OK",
    ]);
    expect(starts.at(-1), "the answer to the un-REGISTER").toBe("SIP/2.0 200 OK");
    expect(starts).toHaveLength(8);
    expect(out).not.toContain("2000000000:alice");
    expect(exit).toBe(0);
  });

  it("exits 1 with status and code where it is refused", async () => {
    const { exit, out } = await postern(["register", "--json"], good.replace(password, "wrong"));
    expect(JSON.parse(out)).toMatchObject({ ok: false, status: 403, code: "credential-rejected", sentence: "No." });
    expect(exit).toBe(1);
  });

  it("draws the ladder without --json and says in words what is wrong", async () => {
    const { out, err } = await postern(["register"], good.replace(password, "wrong"));
    expect(out).toMatch(/alice +postern\n.*REGISTER sip:acme\.example -+>\|/);
    expect(err).toBe("failed: 403 credential-rejected No.\n");
  });

  it.each(["", "[]", '{"username":"x"}', '{"token":""}', "SECRET"])(
    "exits 2 for credentials %j, and does not repeat them",
    async (json) => {
      const { exit, out, err } = await postern(["register"], json);
      expect(exit).toBe(2);
      expect(out).toBe("");
      expect(err).toContain("--credentials");
      expect(err).not.toContain("SECRET");
    },
  );
});

describe("postern client call", () => {
  it("calls with sound, holds, hangs up, and tells the audio frames of both ways", async () => {
    const credentials = { username: "2000000000:bob", password };
    const bob = await jssipClient({ url: relay.url, user: "bob", credentials });
    try {
      await bob.registered();
      const answered = bob.incoming().then((call) => {
        call.answer();
        return call.ended();
      });
      const { exit, out } = await postern(["call", "sip:bob@acme.example", "--duration", "1", "--json"], good);
      const { ok, status, audio } = JSON.parse(out);
      expect({ ok, status, exit }).toEqual({ ok: true, status: 200, exit: 0 });
      expect(audio.sent).toBeGreaterThan(50);
      expect(audio.tone).toBeGreaterThan(20);
      expect(await answered).toBe("Terminated");
    } finally {
      await bob.stop();
    }
  });

  it("exits 1 where nobody is there", async () => {
    const { exit, out } = await postern(["call", "sip:nobody@acme.example", "--json"], good);
    expect(JSON.parse(out)).toMatchObject({ ok: false, status: 404, code: "destination-denied" });
    expect(exit).toBe(1);
  });

  it("exits 2 for what is no target", async () => {
    expect((await postern(["call", "sip:a b@@"], good)).exit).toBe(2);
  });
});
