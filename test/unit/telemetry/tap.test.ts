import { describe, expect, it } from "vitest";
import { Tap } from "../../../src/telemetry/tap.ts";
import { Trace, type Traced, type TraceListener } from "../../../src/telemetry/trace.ts";

function tapped(listeners: readonly TraceListener[] = []) {
  const told: string[] = [];
  const say = ({ way, callId, verdict }: Traced): string => `${way} ${callId} ${verdict?.code ?? "-"}`;
  const listener = {
    message: (traced: Traced) => void told.push(say(traced)),
    verdict: (traced: Traced) => void told.push(say(traced)),
  };
  const counted: string[] = [];
  const tap = new Tap({
    connection: "c",
    client: { address: "203.0.113.7", port: 1 },
    gateway: { address: "192.0.2.1", port: 2 },
    metrics: {
      message: (way, method) => void counted.push(`${way} ${method}`),
      refusedUpstream: () => {},
      passedTrunk: () => {},
    },
    trace: new Trace({ now: () => 0 }, [listener, ...listeners]),
  });
  return { tap, told, counted };
}

const about = (callId: string) => ({ callId, method: "INVITE" });
const bytes = Buffer.from("x");

describe("a tap", () => {
  it("counts and traces each message once for each side it passes", () => {
    const { tap, told, counted } = tapped();
    tap.fromClient(about("a"), bytes);
    tap.toUpstream(about("a"), bytes);
    tap.fromUpstream(about("a"), bytes);
    tap.toClient(about("a"), bytes);
    const ways = ["from-client", "to-upstream", "from-upstream", "to-client"];
    expect(told).toEqual(ways.map((way) => `${way} a -`));
    expect(counted).toEqual(ways.map((way) => `${way} INVITE`));
  });

  it("puts a verdict on the client's latest message, once, whatever passed meanwhile", () => {
    const { tap, told } = tapped();
    tap.fromClient(about("a"), bytes);
    tap.fromUpstream(about("b"), bytes);
    tap.toClient(about("b"), bytes);
    tap.judged("challenged");
    tap.judged("accepted");
    expect(told.slice(3)).toEqual(["from-client a challenged"]);
  });

  it("keeps apart what is decided about the other side's messages", () => {
    const { tap, told } = tapped();
    tap.fromClient(about("a"), bytes);
    tap.fromUpstream(about("b"), bytes);
    tap.judgedOffer("delivered");
    tap.judged("accepted");
    expect(told.slice(2)).toEqual(["from-upstream b delivered", "from-client a accepted"]);
  });

  it("tells by names alone whom a proof showed", () => {
    const shown: unknown[] = [];
    const listener = { message: () => {}, verdict: ({ verdict }: Traced) => void shown.push(verdict) };
    const { tap } = tapped([listener]);
    const who = { customer: "acme", provedBy: "k1", expiry: 1_893_456_000 };
    tap.fromClient(about("a"), bytes);
    tap.judged("accepted", "", who);
    tap.fromClient(about("b"), bytes);
    tap.judged("accepted");
    expect(shown).toEqual([
      { code: "accepted", sentence: "", who },
      { code: "accepted", sentence: "", who: undefined },
    ]);
  });

  it("needs no message for a verdict on a connection", () => {
    const { tap, told } = tapped();
    tap.judged("limit-reached");
    expect(told).toEqual([]);
  });
});
