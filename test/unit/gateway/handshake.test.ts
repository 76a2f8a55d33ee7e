import type { IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { Customers } from "../../../src/core/customers.ts";
import { codes, refuse } from "../../../src/core/errors.ts";
import { Admission } from "../../../src/gateway/admission.ts";
import type { Context } from "../../../src/gateway/context.ts";
import { closing, type Handshake, judgeHandshake } from "../../../src/gateway/handshake.ts";
import { customer } from "../../helpers/customers.ts";

const acme = customer({ origins: ["https://www.acme.example", "https://*.acme.example"] });
interface Case {
  readonly url?: string;
  readonly protocol?: string | undefined;
  readonly origin?: string;
  readonly allowMissingOrigin?: boolean;
  readonly draining?: boolean;
  readonly overloaded?: boolean;
  readonly admission?: Admission;
  readonly customers?: Customers;
}

function judge({
  url = "/",
  origin,
  allowMissingOrigin = true,
  draining = false,
  overloaded = false,
  admission,
  customers,
  ...rest
}: Case): Handshake {
  const protocol = "protocol" in rest ? rest.protocol : "sip";
  const headers = { "sec-websocket-protocol": protocol, origin };
  const context = {
    admission: admission ?? new Admission(),
    limits: () => ({ connectionsPerAddress: 1 }),
    customers: () => customers ?? new Customers([acme]),
    allowMissingOrigin: () => allowMissingOrigin,
    draining: () => draining,
    overloaded: () => overloaded,
  };
  const request = { url, headers } as unknown as IncomingMessage;
  const judged = judgeHandshake(request, "192.0.2.1", context as unknown as Context);
  if (judged instanceof Promise) throw new TypeError("nothing here has to be waited for");
  return judged;
}
const codeOf = (handshake: Handshake): string =>
  handshake.kind === "turned-away" ? handshake.refusal.code : handshake.kind;

describe("judgeHandshake", () => {
  it.each(["sip", "sip, xmpp", "xmpp,sip", " sip "])("welcomes the subprotocol %j", (protocol) => {
    expect(judge({ protocol, origin: "https://www.acme.example" })).toEqual({
      kind: "welcome",
      id: expect.stringMatching(/^[0-9a-f]{16}$/),
      origin: "https://www.acme.example",
    });
  });

  it.each([undefined, "", "xmpp", "SIP", "sips", "sip2", "xsip"])("rejects the subprotocol %j with 400", (protocol) => {
    expect(judge({ protocol })).toMatchObject({ kind: "rejected", status: 400 });
  });

  it("rejects with 503 where the address is full", () => {
    const admission = new Admission();
    admission.enter("192.0.2.1", { silent: false, makeRoom: () => {} });
    expect(judge({ admission })).toMatchObject({ kind: "rejected", status: 503 });
    expect(judge({ admission, protocol: undefined })).toMatchObject({ status: 400 });
  });

  it("rejects with 503 while it is draining, whoever asks", () => {
    expect(judge({ draining: true })).toMatchObject({ kind: "rejected", status: 503, code: "draining" });
    expect(judge({ draining: true, origin: "https://evil.example" })).toMatchObject({ status: 503, code: "draining" });
  });

  it("rejects with 503 while it is overloaded, before anything that costs, and closes nobody for it", () => {
    const admission = new Admission();
    const closed: string[] = [];
    admission.enter("192.0.2.1", { silent: true, makeRoom: () => void closed.push("silent") });
    const refused = { kind: "rejected", status: 503, code: "limit-reached" };
    expect(judge({ overloaded: true, admission })).toMatchObject(refused);
    expect(judge({ overloaded: true, url: "/?access_token=x" })).toMatchObject(refused);
    expect(judge({ overloaded: true, protocol: undefined })).toMatchObject({ status: 400 });
    expect(closed).toEqual([]);
  });

  it("closes no silent connection for a visitor that is turned away", () => {
    const admission = new Admission();
    const closed: string[] = [];
    admission.enter("192.0.2.1", { silent: true, makeRoom: () => void closed.push("silent") });
    expect(codeOf(judge({ admission, origin: "https://evil.example" }))).toBe("origin-denied");
    expect(codeOf(judge({ admission, url: "/?access_token=x" }))).toBe("credential-malformed");
    expect(closed).toEqual([]);
    expect(judge({ admission }).kind).toBe("welcome");
    expect(closed).toEqual(["silent"]);
  });

  it.each(["https://evil.example", "https://acme.example", "http://www.acme.example", "null", ""])(
    "turns away a page of %j",
    (origin) => expect(codeOf(judge({ origin }))).toBe("origin-denied"),
  );

  it("asks any customer for the origin", () => {
    expect(judge({ origin: "https://shop.acme.example" }).kind).toBe("welcome");
    expect(judge({ origin: "https://evil.example", customers: new Customers([acme, customer()]) }).kind).toBe(
      "welcome",
    );
  });

  it("takes a client without Origin only where that is allowed", () => {
    expect(judge({})).toMatchObject({ kind: "welcome", origin: undefined });
    expect(codeOf(judge({ allowMissingOrigin: false }))).toBe("origin-denied");
  });

  it.each(["/?access_token=x", "/ws?a=b&access_token=", "/?access_token=x&y"])("turns away the token in %s", (url) => {
    expect(codeOf(judge({ url }))).toBe("credential-malformed");
  });

  it("takes other words in the query for nothing", () => {
    expect(judge({ url: "/?my_access_token=x&x=access_token" }).kind).toBe("welcome");
  });
});

describe("closing", () => {
  it("gives a code's close and a reason of at most 123 bytes", () => {
    expect(closing(refuse("origin-denied", "no"))).toEqual([4403, "origin-denied: no"]);
    for (const code of Object.keys(codes) as (keyof typeof codes)[]) {
      const [close, reason] = closing(refuse(code, "x".repeat(200)));
      expect(close).toBe(codes[code].close);
      expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(123);
    }
  });
});
