import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { code, status, unique } from "../helpers/raw-client.ts";
import { header, recordRoutes, request, tagOf, uriOf } from "../helpers/raw-sip.ts";
import { inSeconds, Scene, User } from "../helpers/scene.ts";
import { signToken } from "../helpers/tokens.ts";

const secret = "the-jwt-secret-of-acme-in-tests-0123";
const dial = '    dial: ["+1900*"]\n';
const methods = "REGISTER, INVITE, ACK, CANCEL, BYE, UPDATE, INFO, PRACK, OPTIONS, MESSAGE, REFER, NOTIFY";
const acme = (key: string, more = dial): string =>
  `    keys: [{ id: h, alg: HS256, secret: ${key} }]\n    methods: [${methods}]\n${more}`;
let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ trunk: "answer", acme: acme(secret), gateway: "  limits: { failuresPerMinute: 0 }" });
});
afterAll(() => scene?.close());

/** Somebody in a call with the trunk, on a connection that a token of the handshake opened. */
async function caller(claims: Record<string, unknown> = {}) {
  const address = `alice${unique().replace("-", ".")}@acme.example`;
  const token = (key = secret): Promise<string> =>
    signToken({ alg: "HS256" }, { sub: address, exp: inSeconds(250), ...claims }, key);
  const client = await scene.connect({ path: `/?access_token=${await token()}` });
  const user = new User(client, address, { username: "none", password: "none" });
  const parts = user.parts("INVITE", "sip:+3225887001@acme.example");
  const ok = await client.ask(parts);
  expect(status(ok)).toBe(200);
  const inside = (method: string, cseq: number, extra: string[] = []): string =>
    request({
      ...parts,
      method,
      cseq,
      extra,
      uri: uriOf(header(ok, "Contact")),
      toTag: tagOf(header(ok, "To")),
      routes: recordRoutes(ok).reverse(),
    });
  client.send(inside("ACK", 1));
  /** The trunk takes none, and its call with it: what comes back is the gateway's. */
  const refer = (cseq: number, to: string, extra: string[] = []): void =>
    client.send(inside("REFER", cseq, [`Refer-To: <sip:${to}@acme.example>`, ...extra]));
  const refused = (cseq: number): Promise<string> => client.response(parts.callId, cseq, "REFER");
  const bye = async (cseq: number): Promise<number> => {
    client.send(inside("BYE", cseq));
    return status(await client.response(parts.callId, cseq, "BYE"));
  };
  return { user, callId: parts.callId, refer, refused, bye, token };
}

const refers = async (callId: string): Promise<unknown[]> =>
  (await scene.arrived(callId)).filter(({ method }) => method === "REFER").map((seen) => seen.header("Refer-To"));

describe("REFER inside one's own call", () => {
  it("comes to Kamailio where its target may be called", async () => {
    const { callId, refer } = await caller();
    refer(2, "+19005551234");
    await scene.came(callId, "REFER");
    expect(await refers(callId)).toEqual(["<sip:+19005551234@acme.example>"]);
  });

  it("of one call's credential is no way to a second one; its twin is above", async () => {
    const { user, callId, refer, refused, bye } = await caller({ oneCall: true });
    refer(2, "+3225887002");
    expect(code(await refused(2))).toBe("method-denied");
    const outside = user.parts("REFER", `sip:bob@acme.example`, {
      extra: ["Refer-To: <sip:+3225887002@acme.example>"],
    });
    expect(code(await user.client.ask(outside))).toBe("method-denied");
    expect(await refers(callId)).toEqual([]);
    expect(await refers(outside.callId)).toEqual([]);
    expect(await bye(3)).toBe(200);
  });

  it("needs the permission to start a call, as what is outside a call does", async () => {
    const { user, callId, refer, refused, bye } = await caller({ permissions: ["*"] });
    const claims = { sub: user.address, exp: inSeconds(250), permissions: ["TerminateConference"] };
    const lesser = `Authorization: Bearer ${await signToken({ alg: "HS256" }, claims, secret)}`;
    const options = user.parts("OPTIONS", "sip:acme.example", { extra: [lesser] });
    expect(code(await user.client.ask(options))).toBe("permission-missing");
    refer(2, "+3225887002", [lesser]);
    expect(code(await refused(2))).toBe("permission-missing");
    expect(await refers(callId)).toEqual([]);
    expect(await bye(3)).toBe(200);
  });

  it("needs a credential that still stands, and the rights of today", async () => {
    const { callId, refer, refused, token } = await caller();
    const other = `${secret}-another`;
    scene.gateway.change({ acme: acme(other, "") });
    refer(2, "+19005551234");
    expect(status(await refused(2))).toBe(407);
    const proved = [`Authorization: Bearer ${await token(other)}`];
    refer(3, "+19005551234", proved);
    expect(code(await refused(3))).toBe("destination-denied");
    expect(await refers(callId)).toEqual([]);
    refer(4, "+3225887002", proved);
    await scene.came(callId, "REFER");
    expect(await refers(callId)).toEqual(["<sip:+3225887002@acme.example>"]);
    scene.gateway.change({ acme: acme(secret) });
  });
});
