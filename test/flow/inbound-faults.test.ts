import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Kamailio, startKamailio } from "../helpers/kamailio.ts";
import { chainSecret, Legs, uniqueId } from "../helpers/legs.ts";
import { freePort } from "../helpers/ports.ts";
import { header, isReply, request } from "../helpers/raw-sip.ts";
import { openUdpSink, type UdpSink } from "../helpers/udp-sink.ts";

let kamailio: Kamailio;
let trunk: UdpSink;
let port: number;
const legs = new Legs(() => kamailio);

beforeAll(async () => {
  port = await freePort();
  kamailio = await startKamailio({
    chainSecret,
    defines: { POSTERN_ADMIN: `http://127.0.0.1:${port}`, STRANGER_CALLS: 100_000 },
  });
  trunk = await openUdpSink("127.0.0.8");
});
afterAll(async () => {
  await legs.close();
  await trunk?.close();
  await kamailio?.stop();
});

/** Instead of the gateway's private port, for as long as the test needs it. */
async function gateway<T>(answer: RequestListener, during: () => Promise<T>): Promise<T> {
  const server: Server = createServer(answer).listen(port, "127.0.0.1");
  await once(server, "listening");
  try {
    return await during();
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

const says =
  (body: string, status = 200): RequestListener =>
  (_request, response) => {
    response.writeHead(status).end(body);
  };

function message(method: string, callId: string): string {
  const user = method === "INVITE" || method === "CANCEL" ? "+3225887000@" : "";
  const here = `${kamailio.udp.host}:${kamailio.udp.port}`;
  const ids = { fromTag: "o", callId, cseq: 1, branch: `z9hG4bK${callId}`, viaTransport: "UDP" as const };
  const via = `${trunk.host}:${trunk.port}`;
  const from = "+44@outside.example";
  return request({ method, uri: `sip:${user}${here}`, from, to: `${user}${here}`, viaHost: via, ...ids });
}

interface Outcome {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly ms: number;
  /** Kamailio's own. */
  readonly line: string;
}

async function call(): Promise<Outcome> {
  const callId = `fault-${uniqueId()}`;
  const since = Date.now();
  trunk.send(message("INVITE", callId), kamailio.udp);
  const final = (one: string): boolean => header(one, "Call-ID") === callId && /^SIP\/2\.0 [2-6]/.test(one);
  const answer = await trunk.waitFor(final, 8_000);
  const ms = Date.now() - since;
  const said = (): string | undefined =>
    kamailio
      .log()
      .split("\n")
      .find((one) => one.includes(callId) && !one.includes("TEST-REPORT"));
  // The answer and the line come by different ways.
  await expect.poll(said, { timeout: 8_000 }).toBeDefined();
  const status = Number(answer.slice(8, 11));
  return { status, retryAfter: header(answer, "Retry-After"), ms, line: said() ?? "" };
}

/** A test before may have left word that the gateway keeps silent. */
beforeEach(async () => {
  await gateway(says("", 404), () => expect.poll(async () => (await call()).status, { timeout: 12_000 }).toBe(404));
});

describe("a call from a trunk while the gateway", () => {
  it("is down gets 503 at once, with a line that says so", async () => {
    const { status, retryAfter, ms, line } = await call();
    expect([status, retryAfter]).toEqual([503, "5"]);
    expect(ms).toBeLessThan(1_500);
    expect(line).toMatch(/refused: no answer of the gateway \(7\)/);
  });

  it("accepts and then says nothing gets 503 in time, others do not wait for it, and all goes on after", async () => {
    await gateway(
      () => {},
      async () => {
        const outcomes = Promise.all(Array.from({ length: 8 }, call));
        // Nothing else is held up meanwhile.
        const callId = `alive-${uniqueId()}`;
        const since = Date.now();
        trunk.send(message("OPTIONS", callId), kamailio.udp);
        await trunk.waitFor((one) => isReply(one, 200, "OPTIONS") && header(one, "Call-ID") === callId);
        await legs.registered("alice", 55_001);
        expect(Date.now() - since).toBeLessThan(1_000);
        for (const { status, retryAfter, ms } of await outcomes) {
          expect([status, retryAfter]).toEqual([503, "5"]);
          expect(ms).toBeLessThan(4_500);
        }
        const next = await call();
        expect(next).toMatchObject({ status: 503, line: expect.stringMatching(/kept silent just now/) });
        expect(next.ms).toBeLessThan(500);
      },
    );
  });

  it.each([
    ["nothing", says("")],
    ["no JSON", says("reception")],
    ["another shape", says('{"deliver":"sip:reception@acme.example"}')],
    ["nobody", says('{"deliver":[]}')],
    ["another scheme", says('{"deliver":["tel:+1900"]}')],
    ["a port and parameters", says('{"deliver":["sip:reception@127.0.0.7:5060;transport=udp"]}')],
    ["too much", says(`{"deliver":["sip:reception@acme.example"]}${" ".repeat(100_000)}`)],
    ["a redirect", (_, response) => void response.writeHead(302, { location: "http://127.0.0.1:1/" }).end()],
    ["a fault of its own", says("", 500)],
    ["something that is no HTTP", (asked) => void asked.socket.end("SIP/2.0 200 OK\r\n\r\n")],
  ] satisfies [string, RequestListener][])("answers %s gets 503, and nothing is sent anywhere", async (_, answer) => {
    const { status, retryAfter, line } = await gateway(answer, call);
    expect([status, retryAfter]).toEqual([503, "5"]);
    expect(line).toMatch(/refused: (what the gateway says cannot be read|no answer of the gateway)/);
    expect(kamailio.saw().filter(({ way, method }) => way === "out" && method === "INVITE")).toEqual([]);
  });

  it.each([403, 404])("answers %i gets the same", async (expected) => {
    expect((await gateway(says("{}", expected), call)).status).toBe(expected);
  });

  it("is asked may be cancelled, and is answered in time", async () => {
    await gateway(
      () => {},
      async () => {
        const callId = `fault-${uniqueId()}`;
        trunk.send(message("INVITE", callId), kamailio.udp);
        await trunk.waitFor((one) => isReply(one, 100, "INVITE") && header(one, "Call-ID") === callId);
        trunk.send(message("CANCEL", callId), kamailio.udp);
        const final = (one: string): boolean => header(one, "Call-ID") === callId && /^SIP\/2\.0 [4-6]/.test(one);
        const answer = await trunk.waitFor(final, 5_000);
        expect(header(answer, "CSeq")).toBe("1 INVITE");
      },
    );
  });

  it("is asked with the address and the number, escaped", async () => {
    const asked: string[] = [];
    await gateway((one, response) => {
      asked.push(one.url ?? "");
      response.writeHead(404).end();
    }, call);
    expect(asked).toEqual(["/v1/inbound?source=127.0.0.8&number=%2B3225887000"]);
  });
});
