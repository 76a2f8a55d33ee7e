import { describe, expect, it, vi } from "vitest";
import { createLog, type Log } from "../../../src/telemetry/log.ts";

const secret = "Zq7vT0pS3cr3tX9kLm2w";

/** A log whose lines are kept. */
function keeping(level = "info"): { log: Log; lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ level, destination: { write: (line) => void lines.push(line) } }), lines };
}

function logged(act: (log: Log) => void): string {
  const { log, lines } = keeping();
  act(log);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatch(/^\{.*\}\n$/);
  return lines[0] ?? "";
}

const keys = [
  ...["password", "secret", "token", "authorization", "Authorization", "proxy-authorization", "Proxy-Authorization"],
  ...["x-postern-token", "X-Postern-Grant", "access_token", "postern_token", "cookie", "Set-Cookie", "response", "key"],
  ...["chainSecret", "secrets", "apiKeys", "grant", "jwt", "pem", "ha1", "accessToken", "credential", "PASSWORD"],
];

describe("no secret gets into a line", () => {
  it.each(keys)("by the key %s, at any depth", (key) => {
    for (const value of [{ [key]: secret }, { a: { [key]: secret } }, { a: [{ b: { c: { [key]: [secret] } } }] }]) {
      const line = logged((log) => log.info(value, "said"));
      expect(line).not.toContain(secret);
      expect(line).toContain("[redacted]");
      expect(line).toContain("said");
    }
  });

  it("by a child's bindings", () => {
    expect(logged((log) => log.child({ connection: 7, token: secret }).info("said"))).not.toContain(secret);
    expect(logged((log) => log.child({}).child({ a: { secret } }).info("said"))).not.toContain(secret);
    const rebound = (log: Log): void => {
      const child = log.child({ connection: 7 });
      child.setBindings({ token: secret });
      child.info("said");
    };
    expect(logged(rebound)).not.toContain(secret);
    expect(logged(rebound)).toContain('"connection":7');
  });

  it.each([
    `GET /?access_token=${secret}&x=1 HTTP/1.1`,
    `wss://127.0.0.1/?access_token=${secret}`,
    `Authorization: Digest username="a", realm="acme.example", response="${secret}"`,
    `REGISTER sip:acme.example SIP/2.0\r\nProxy-Authorization : Digest response="${secret}"\r\n\r\n`,
    `Authorization: Digest username="a",\r\n response="${secret}"`,
    `Authorization: bEaReR\r\n  ${secret}\r\n\t${secret}\r\nVia: x`,
    `a token, eyJhbGciOiJIUzI1NiJ9.${secret}.${secret}, as it is`,
    `eyJhbGciOiJIUzI1NiJ9.${secret}.`,
    `authorization: ${secret}`,
    `X-Postern-Token: ${secret}`,
    `x-postern-grant: 1:${secret}@acme.example|trunk=`,
    `Cookie: postern_token=${secret}; a=b`,
    `Bearer ${secret}`,
    `postgres://user:${secret}@127.0.0.1/db`,
    `password=${secret}`,
  ])("in the text %j, wherever it stands", (text) => {
    const acts: ((log: Log) => void)[] = [
      (log) => log.info(text),
      (log) => log.info({ text }, "said"),
      (log) => log.info({ a: [{ b: text }] }, "said"),
      (log) => log.info("said %s", text),
      (log) => log.error(new Error(text)),
      (log) => log.error({ err: new Error("outer", { cause: new Error(text) }) }, "said"),
      (log) => log.error({ failure: new Error(text) }, text),
      (log) => log.child({ text }).info("said"),
    ];
    for (const act of acts) expect(logged(act)).not.toContain(secret);
  });

  it("by members that an error carries", () => {
    const error = Object.assign(new Error("refused"), { config: { secret }, password: secret });
    expect(logged((log) => log.error(error))).not.toContain(secret);
    expect(logged((log) => log.error({ err: error }, "said"))).not.toContain(secret);
  });

  it("in maps, sets, buffers, URLs", () => {
    const url = new URL(`ws://127.0.0.1/?access_token=${secret}`);
    const values = {
      map: new Map([["password", secret]]),
      set: new Set([{ secret }]),
      bytes: Buffer.from(secret),
      url,
    };
    expect(logged((log) => log.info(values))).not.toContain(secret);
    expect(logged((log) => log.info(values))).not.toContain(String([...Buffer.from(secret)]));
  });
});

describe("a line", () => {
  it("keeps what is no secret", () => {
    const line = JSON.parse(
      logged((log) => log.info({ code: "origin-denied", secretId: "k1", seconds: 3 }, "refused")),
    );
    expect(line).toMatchObject({ level: "info", code: "origin-denied", secretId: "k1", seconds: 3, msg: "refused" });
    expect(Date.parse(line.time)).toBeGreaterThan(0);
  });

  it("keeps an error's type, message, stack and cause", () => {
    const line = JSON.parse(logged((log) => log.error(new TypeError("wrong", { cause: new Error("deeper") }))));
    expect(line).toMatchObject({
      msg: "wrong",
      err: { type: "TypeError", message: "wrong", cause: { message: "deeper" } },
    });
    expect(line.err.stack).toContain("log.test.ts");
  });

  it("is bounded, whatever is logged", () => {
    const endless: Record<string, unknown> = { wide: Array.from({ length: 100_000 }, () => ({ x: 1 })) };
    endless.self = endless;
    const line = logged((log) => log.info({ endless, long: "x".repeat(1_000_000) }, "y".repeat(1_000_000)));
    expect(line.length).toBeLessThan(100_000);
  });

  it("has a thousand characters of a text that a stranger chose, and the whole stack of an error", () => {
    const fault = new Error("fault");
    fault.stack = "z".repeat(8_000);
    const line = logged((log) => log.info({ origin: `https://${"x".repeat(8_000)}`, err: fault }, "said"));
    expect(line).toMatch(/"origin":"https:\/\/x{1016}…"/);
    expect(line).toContain(fault.stack);
  });

  it.each([
    ["C1, as of a terminal's escape sequences", "a\u009b31mb\u0090c", "a?31mb?c"],
    ["DEL", "a\u007fb", "a?b"],
    ["another direction", "a\u202eb\u2066c", "a?b?c"],
    ["a line end of Unicode", "a\u2028b", "a?b"],
  ])("holds nothing that a terminal obeys: %s", (_, origin, seen) => {
    const line = logged((log) => log.info({ origin, nested: [new Error(origin)] }, origin));
    expect(line).not.toMatch(/[\x7f-\x9f\u2028\u202e\u2066]/);
    expect(JSON.parse(line)).toMatchObject({ origin: seen, msg: seen });
  });

  it("twin: letters of all the world stay", () => {
    expect(logged((log) => log.info({ reason: "gehei\u00dfnis \u65e5\u672c" }, "said"))).toContain(
      "gehei\u00dfnis \u65e5\u672c",
    );
  });

  it("says how many keys there are, and not which", () => {
    expect(logged((log) => log.info({ keys: 3 }, "said"))).toContain('"keys":3');
    expect(logged((log) => log.info({ keys: [3] }, "said"))).toContain('"keys":"[redacted]"');
    expect(logged((log) => log.info({ key: 3 }, "said"))).toContain('"key":"[redacted]"');
  });

  it("is not written below the level", () => {
    const { log, lines } = keeping("warn");
    log.info("quiet");
    log.warn("heard");
    expect(lines).toHaveLength(1);
  });
});

describe("a flood of lines", () => {
  const flood = (log: Log, count = 1000): void => {
    for (let at = 0; at < count; at++)
      log.info({ connection: `c${at}`, address: "192.0.2.1", code: "rate-limited" }, "refused");
  };

  it("is cut, and what was left out is told once a while later", () => {
    vi.useFakeTimers();
    try {
      const { log, lines } = keeping();
      flood(log);
      expect(lines).toHaveLength(100);
      vi.advanceTimersByTime(60_000);
      expect(lines).toHaveLength(101);
      const told = { level: "warn", line: "refused", address: "192.0.2.1", code: "rate-limited", more: 900 };
      expect(JSON.parse(lines.at(-1)!)).toMatchObject({ ...told, msg: "left out: more of the same" });
    } finally {
      vi.useRealTimers();
    }
  });

  it("is cut through a child too", () => {
    const { log, lines } = keeping();
    flood(log.child({ of: "child" }));
    expect(lines).toHaveLength(100);
  });

  it("is whole for who asks for debug lines", () => {
    const { log, lines } = keeping("debug");
    for (let at = 0; at < 1000; at++) log.debug({ address: "192.0.2.1" }, "challenged");
    expect(lines).toHaveLength(1000);
  });
});
