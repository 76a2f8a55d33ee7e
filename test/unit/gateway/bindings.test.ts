import { describe, expect, it } from "vitest";
import { Bindings } from "../../../src/gateway/bindings.ts";
import { readRequest } from "../../../src/sip/request.ts";
import { scan } from "../../../src/sip/scan.ts";

let branches = 0;

/** contacts: `<sip:…>` with their parameters. */
function register(contacts: readonly string[], expires?: number) {
  const text = [
    "REGISTER sip:acme.example SIP/2.0",
    `Via: SIP/2.0/WS a.invalid;branch=z9hG4bK${++branches}`,
    "From: <sip:alice@acme.example>;tag=1",
    "To: <sip:alice@acme.example>",
    "Call-ID: c",
    `CSeq: ${branches} REGISTER`,
    ...contacts.map((contact) => `Contact: ${contact}`),
    ...(expires === undefined ? [] : [`Expires: ${expires}`]),
    "Content-Length: 0\r\n\r\n",
  ];
  const scanned = scan(Buffer.from(text.join("\r\n")));
  const read = scanned.kind === "message" ? readRequest(scanned.message) : undefined;
  if (read?.kind !== "request") throw new Error(JSON.stringify(read ?? scanned));
  return read.request;
}

function bench() {
  const clock = { ms: 0, now: () => clock.ms };
  const bindings = new Bindings(clock);
  const ask = (contacts: readonly string[], expires?: number): string => {
    const request = register(contacts, expires);
    bindings.asked(request, 100);
    return request.message.via.branch;
  };
  const done = (contacts: readonly string[], expires?: number): void => bindings.answered(ask(contacts, expires), true);
  return { clock, bindings, ask, done };
}

const [one, two] = ["<sip:a@a.invalid;transport=ws>", "<sip:b@a.invalid>"];

describe("bindings", () => {
  it("count from when they are asked for, each Contact once, until their end or the credential's", () => {
    const { clock, bindings, ask, done } = bench();
    ask([one], 60);
    expect(bindings.size).toBe(1);
    done([one, `${two};expires=3600`], 60);
    expect([bindings.size, bindings.has("sip:b@a.invalid"), bindings.has("sip:c@a.invalid")]).toEqual([2, true, false]);
    clock.ms = 60_000;
    expect(bindings.size).toBe(1);
    clock.ms = 100_000;
    expect(bindings.size).toBe(0);
  });

  it("count until Kamailio says that they are removed, by 0 or by *", () => {
    const { bindings, ask, done } = bench();
    done([one, two]);
    const removes = ask([`${one};expires=0`]);
    expect(bindings.size).toBe(2);
    bindings.answered(removes, false);
    expect(bindings.size).toBe(2);
    done([`${one};expires=0`]);
    expect(bindings.size).toBe(1);
    done(["*"], 0);
    expect(bindings.size).toBe(0);
  });

  it("that Kamailio refuses count no more; what was bound before, or is asked for again, does", () => {
    const { bindings, ask, done } = bench();
    done([one]);
    const [first, second, third] = [ask([one, two]), ask([two]), ask(["<sip:c@a.invalid>"])];
    bindings.answered(third, false);
    bindings.answered(first, false);
    expect(bindings.size).toBe(2);
    bindings.answered(second, true);
    bindings.answered(ask([one, two]), false);
    expect([bindings.size, bindings.has("sip:b@a.invalid"), bindings.has("sip:c@a.invalid")]).toEqual([2, true, false]);
  });

  it("stay as they are asked for, whatever Kamailio answers to what was asked before", () => {
    const { bindings, ask, done } = bench();
    done([one], 60);
    const [first, second] = [ask([one], 0), ask([one], 60)];
    bindings.answered(first, true);
    expect(bindings.size).toBe(1);
    bindings.answered(second, true);
    expect(bindings.size).toBe(1);
    const [all, third] = [ask(["*"], 0), ask([one], 60)];
    bindings.answered(all, true);
    bindings.answered(third, true);
    expect(bindings.size).toBe(1);
    done([`${one};expires=0`, `${one};expires=60`]);
    expect(bindings.size).toBe(1);
  });

  it("end sooner only where Kamailio has said so, and at the later of two times", () => {
    const { clock, bindings, ask, done } = bench();
    done([one], 60);
    bindings.answered(ask([one], 1), false);
    clock.ms = 2_000;
    expect(bindings.size).toBe(1);
    done([`${one};expires=50`, `${one};expires=1`]);
    clock.ms = 4_000;
    expect(bindings.size).toBe(1);
    done([one], 1);
    clock.ms = 6_000;
    expect(bindings.size).toBe(0);
  });

  it("are not asked for by a query, nor by an answer to nothing", () => {
    const { bindings, done } = bench();
    done([]);
    bindings.answered("z9hG4bKnobody", true);
    expect(bindings.size).toBe(0);
  });

  it("are ten at most, as Kamailio keeps them, however many are asked for; no more than ninety are remembered", () => {
    const { bindings, ask } = bench();
    for (let at = 0; at < 1_000; at++) ask([`<sip:c${at}@a.invalid>`]);
    expect(bindings.size).toBe(10);
    expect(Array.from({ length: 1_000 }, (_, at) => bindings.has(`sip:c${at}@a.invalid`)).filter(Boolean)).toHaveLength(
      90,
    );
  });
});
