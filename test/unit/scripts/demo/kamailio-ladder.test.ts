import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { KamailioLadder, type KamailioMessage } from "../../../../scripts/demo/kamailio-ladder.ts";
import { invite, now } from "./rows.ts";

const trunkPort = 5070;

function heard() {
  const log = new PassThrough();
  const ladder = new KamailioLadder(log, trunkPort);
  const trunk: KamailioMessage[] = [];
  ladder.onTrunk = (message) => void trunk.push(message);
  return { log, ladder, trunk };
}

/** As ladder.cfg writes it, two parts. */
function report(message: string, way: "in" | "out", port: number, process = 7): string {
  const text = Buffer.from(message).toString("base64");
  const parts = [text.slice(0, 40), text.slice(40)].map((part) => ` 0(7) NOTICE: LADDER part ${process} ${part}\n`);
  return `${parts.join("")} 0(7) NOTICE: LADDER ${way} ${process} ${(now / 1000).toFixed(6)} udp 127.0.0.9 ${port}\n`;
}

describe("Kamailio's side of the ladder", () => {
  it("comes out of its log, in whatever pieces that comes", () => {
    const { log, ladder, trunk } = heard();
    const text = `something else\n${report(invite(), "out", trunkPort)}${report("SIP/2.0 200 OK\r\ni: a@page\r\n\r\n", "in", trunkPort)}`;
    for (let at = 0; at < text.length; at += 17) log.write(text.slice(at, at + 17));
    expect(trunk.map(({ from, to, callId, bytes }) => [from, to, callId, bytes.toString().split("\r\n")[0]])).toEqual([
      ["kamailio", "trunk", "a@page", "INVITE sip:+3225887123@acme.example SIP/2.0"],
      ["trunk", "kamailio", "a@page", "SIP/2.0 200 OK"],
    ]);
    expect(trunk[0]?.at).toBeCloseTo(now, 2);
    expect(ladder.between(now - 1, now + 1)).toHaveLength(2);
    expect(ladder.between(now + 1, now + 2)).toEqual([]);
  });

  it("keeps the parts of processes apart", () => {
    const { log, trunk } = heard();
    const [one, other] = [7, 8].map((process) =>
      report(invite(`${process}@page`), "out", trunkPort, process).split("\n"),
    );
    for (const line of [0, 1, 2]) log.write(`${one![line]}\n${other![line]}\n`);
    expect(trunk.map(({ callId }) => callId)).toEqual(["7@page", "8@page"]);
  });

  it("takes no line that is longer than any, nor such a message, and goes on", () => {
    const { log, trunk } = heard();
    const long = (callId: string, more: number): string =>
      report(`${invite(callId)}${"x".repeat(more)}`, "out", trunkPort);
    for (const text of [long("line@page", 15_000), long("other@page", 10_000)]) {
      const end = text.lastIndexOf("\n", text.length - 2) - 1;
      log.write(text.slice(0, end));
      log.write(text.slice(end));
    }
    for (const text of [long("message@page", 110_000), long("whole@page", 65_000)]) log.write(text);
    expect(trunk.map(({ callId }) => callId)).toEqual(["other@page", "whole@page"]);
  });

  it("keeps the last two thousand messages", () => {
    const { log, ladder } = heard();
    for (let at = 0; at < 2_002; at++) log.write(report(invite(`${at}@page`), "out", trunkPort));
    const kept = ladder.between(0, now + 1).map(({ message }) => /^Call-ID: (.*)@/m.exec(message)?.[1]);
    expect([kept.length, kept[0], kept.at(-1)]).toEqual([2_000, "2", "2001"]);
  });

  it("tells of the gateway's side to the terminal alone, and of upgrades to nobody", () => {
    const { log, ladder, trunk } = heard();
    log.write(report(invite(), "in", 40_000) + report("GET / HTTP/1.1\r\n\r\n", "in", 40_000));
    expect(trunk).toEqual([]);
    expect(ladder.between(0, now + 1).map(({ from, to }) => [from, to])).toEqual([["postern", "kamailio"]]);
  });
});
