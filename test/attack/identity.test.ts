import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { code, status, unique } from "../helpers/raw-client.ts";
import { type RequestParts, reply } from "../helpers/raw-sip.ts";
import { Scene, type User } from "../helpers/scene.ts";

let scene: Scene;

beforeAll(async () => {
  scene = await Scene.open({ acme: `    callFrom: ["voxrtc@visitors.example", "*@guests.example"]` });
});
afterAll(() => scene.close());

type Change = (user: User) => Partial<RequestParts> & { readonly uri?: string };

/** The request as the user may send it, then with the change, on a socket of its own each: the refusal, and what Kamailio saw. */
async function beside(method: string, change: Change, edit?: (text: string, user: User) => string) {
  const [user, twin] = [await scene.stranger("alice"), await scene.stranger("alice")];
  const right = `twin-${unique()}`;
  const sent = await twin.prove(method, target(method, twin), { to: twin.address, callId: right });
  const seen = await scene.came(right, method);
  expect(seen.header("From"), sent).toContain(`sip:${twin.address}`);
  const callId = `attack-${unique()}`;
  const parts = { to: user.address, callId, ...change(user) };
  const uri = parts.uri ?? target(method, user);
  const refused = await user.prove(method, uri, parts, {}, edit && ((text) => edit(text, user)));
  return { got: [status(refused), code(refused)], seen: await scene.arrived(callId) };
}

const target = (method: string, user: User): string => `sip:${method === "REGISTER" ? user.domain : user.address}`;

const mismatch = [403, "identity-mismatch"];
const malformed = [400, "message-malformed"];

describe("REGISTER", () => {
  it.each<[string, Change]>([
    ["From is another user", () => ({ from: "mallory@acme.example" })],
    ["To is another user", () => ({ to: "mallory@acme.example" })],
    ["From and To are another user", () => ({ from: "mallory@acme.example", to: "mallory@acme.example" })],
    [
      "From and To are the user in other letters",
      ({ address }) => ({ from: address.replace("a", "A"), to: address.replace("a", "A") }),
    ],
    ["From is the user, escaped", ({ address }) => ({ from: address.replace("a", "%61"), viaHost: "x.invalid" })],
    ["To is the user, escaped", ({ address }) => ({ to: address.replace("a", "%61") })],
    [
      "From and To are the user, escaped twice",
      ({ address }) => {
        const twice = address.replace("a", "%2561");
        return { from: twice, to: twice, viaHost: "x.invalid" };
      },
    ],
    ["From and To have a host with a dot at its end", ({ address }) => ({ from: `${address}.`, to: `${address}.` })],
    ["From is in callFrom", () => ({ from: "voxrtc@visitors.example" })],
    ["From and To are in callFrom", () => ({ from: "voxrtc@visitors.example", to: "voxrtc@visitors.example" })],
    ["To is another customer's", ({ name }) => ({ to: `${name}@globex.example` })],
    ["To has a port", ({ address }) => ({ to: `${address}:5060` })],
    ["To has a parameter", ({ address }) => ({ to: `${address};maddr=192.0.2.1` })],
    ["the Request-URI has a user", ({ address }) => ({ uri: `sip:${address}` })],
    ["the Request-URI is another customer's domain", () => ({ uri: "sip:globex.example" })],
    ["the Request-URI is a foreign host", () => ({ uri: "sip:192.0.2.1" })],
    ["the Request-URI has a port", () => ({ uri: "sip:acme.example:5070" })],
    ["the Request-URI has a parameter", () => ({ uri: "sip:acme.example;maddr=192.0.2.1" })],
    ["the Request-URI is sips", () => ({ uri: "sips:acme.example" })],
  ])("is refused where %s", async (_, change) => {
    expect(await beside("REGISTER", change)).toEqual({ got: mismatch, seen: [] });
  });

  it("keeps another user's binding as it is: calls to bob come to bob alone", async () => {
    const [bob, mallory] = [await scene.user("bob"), await scene.user("mallory")];
    const callId = `reg-${unique()}`;
    const refused = await mallory.prove("REGISTER", `sip:${mallory.domain}`, { to: bob.address, callId });
    expect([status(refused), code(refused)]).toEqual(mismatch);
    const message = mallory.parts("MESSAGE", `sip:${bob.address}`);
    void mallory.client.prove(message, mallory.given).catch(() => {});
    await bob.client.take((text) => text.includes(message.callId));
    expect(mallory.client.received.some((text) => text.startsWith("MESSAGE "))).toBe(false);
    expect(await scene.arrived(callId, mallory)).toEqual([]);
    await isCalled(bob);
  });

  it("takes another user's binding away neither by *, nor by its Contact, nor by leaving", async () => {
    const [bob, mallory] = [await scene.user("bob"), await scene.user("mallory")];
    const copied = { contact: bob.contact, viaHost: `${bob.name}.invalid` };
    const own = { to: mallory.address, extra: ["Expires: 0"] };
    const callId = `reg-${unique()}`;
    for (const contact of ["*", bob.contact]) {
      const more = { to: bob.address, extra: ["Expires: 0"], contact, callId };
      const refused = await mallory.prove("REGISTER", `sip:${bob.domain}`, { ...copied, ...more });
      expect([status(refused), code(refused)]).toEqual(mismatch);
    }
    expect(await scene.arrived(callId, mallory)).toEqual([]);
    for (const contact of [bob.contact, "*"]) {
      const taken = await mallory.prove("REGISTER", `sip:${mallory.domain}`, { ...copied, ...own, contact });
      expect(status(taken)).toBe(200);
      await isCalled(bob);
    }
    const last = { ...copied, callId: `reg-${unique()}` };
    expect(status(await mallory.client.register(mallory.address, mallory.given, last))).toBe(200);
    await scene.came(last.callId, "REGISTER");
    const before = new Set(scene.kamailio.saw());
    mallory.client.close();
    await scene.kamailio.waitFor(
      (seen) => !before.has(seen) && seen.method === "REGISTER" && seen.raw.includes(mallory.address),
    );
    await isCalled(bob);
  });
});

/** A message to this user comes to their own socket. */
async function isCalled(user: User): Promise<void> {
  const kin = await scene.stranger("kin");
  const parts = kin.parts("MESSAGE", `sip:${user.address}`);
  const answered = kin.client.prove(parts, kin.given);
  const got = await user.client.take((text) => text.startsWith("MESSAGE ") && text.includes(parts.callId));
  user.client.send(reply(got, { status: "200 OK" }));
  expect(status(await answered)).toBe(200);
}

describe.each(["INVITE", "MESSAGE", "OPTIONS"])("%s", (method) => {
  it.each<[string, Change]>([
    ["another user", () => ({ from: "mallory@acme.example" })],
    ["another user, on the callFrom host of a single user", () => ({ from: "mallory@visitors.example" })],
    ["a user below a callFrom host", () => ({ from: "x@sub.guests.example" })],
    ["the same user of another customer", ({ name }) => ({ from: `${name}@globex.example` })],
    ["the callFrom address with a port", () => ({ from: "voxrtc@visitors.example:5060" })],
    ["a telephone number", () => ({ from: "+3225887000@acme.example", viaHost: "x.invalid" })],
    ["anonymous", () => ({ from: "anonymous@anonymous.invalid" })],
    ["the user, escaped", ({ address }) => ({ from: address.replace("a", "%61"), viaHost: "x.invalid" })],
    ["a callFrom address, escaped", () => ({ from: "%76oxrtc@visitors.example", viaHost: "x.invalid" })],
  ])("is refused where From is %s", async (_, change) => {
    expect(await beside(method, change)).toEqual({ got: mismatch, seen: [] });
  });

  it.each(["voxrtc@visitors.example", "anybody@guests.example"])(
    "passes where From is in callFrom: %s",
    async (from) => {
      const user = await scene.stranger("alice");
      const callId = `from-${unique()}`;
      await user.prove(method, target(method, user), { from, to: user.address, callId });
      const seen = await scene.came(callId, method);
      expect(seen.header("From")).toContain(`<sip:${from}>`);
      expect(seen.headers("P-Asserted-Identity")).toEqual([`<sip:${user.address}>`]);
    },
  );
});

describe.each(["REGISTER", "INVITE", "MESSAGE"])("Contact in %s", (method) => {
  it.each<[string, (user: User) => string]>([
    ["is on a foreign host", ({ name }) => `<sip:${name}@192.0.2.66>`],
    ["is on the domain", ({ address }) => `<sip:${address}>`],
    ["has maddr", ({ name }) => `<sip:${name}@${name}.invalid;maddr=192.0.2.66>`],
    ["has MADDR", ({ name }) => `<sip:${name}@${name}.invalid;MADDR=192.0.2.66>`],
    ["has alias", ({ name }) => `<sip:${name}@${name}.invalid;alias=127.0.0.1~5060~1>`],
    ["has received", ({ name }) => `<sip:${name}@${name}.invalid;received=192.0.2.66>`],
    ["has received behind it", ({ name }) => `<sip:${name}@${name}.invalid>;received="sip:192.0.2.66"`],
    ["is one of two, the second foreign", ({ name, contact }) => `${contact}, <sip:${name}@192.0.2.66>`],
    ["is a telephone number", () => "<tel:+1900>"],
  ])("is refused where it %s", async (_, contact) => {
    expect(await beside(method, (user) => ({ contact: contact(user) }))).toEqual({ got: mismatch, seen: [] });
  });

  it("is refused on a second line too", async () => {
    const second = ({ name }: User) => ({ extra: [`m: <sip:${name}@192.0.2.66>`] });
    expect(await beside(method, second)).toEqual({ got: mismatch, seen: [] });
  });

  it("passes on an address of 192.0.2.0/24 that Via names", async () => {
    const user = await scene.stranger("alice");
    const callId = `contact-${unique()}`;
    const contact = `<sip:${user.name}@192.0.2.17;transport=ws>`;
    await user.prove(method, target(method, user), { to: user.address, callId, viaHost: "192.0.2.17", contact });
    expect((await scene.came(callId, method)).header("Contact")).toContain(
      `<sip:${user.name}@192.0.2.17;transport=ws>`,
    );
  });
});

describe("a URI that another parser reads differently", () => {
  it.each<[string, Change]>([
    ["From", ({ address }) => ({ from: `1479829425:${address}` })],
    ["To", ({ address }) => ({ to: `1479829425:${address}` })],
    ["Contact", ({ name }) => ({ contact: `<sip:${name}:secret@${name}.invalid>` })],
    ["the Request-URI", ({ address }) => ({ uri: `sip:1479829425:${address}` })],
    ["the Request-URI, its password empty", ({ name, domain }) => ({ uri: `sip:${name}:@${domain}` })],
    ["the Request-URI, with header fields", ({ address }) => ({ uri: `sip:${address}?X-Postern-Grant=1` })],
    ["the Request-URI, two @", ({ address }) => ({ uri: `sip:${address}@192.0.2.1` })],
    ["From, two @", ({ address }) => ({ from: `${address}@192.0.2.1` })],
    ["To, two @", ({ address }) => ({ to: `${address}@192.0.2.1` })],
  ])("is refused in an INVITE: user:password and the like in %s", async (_, change) => {
    expect(await beside("INVITE", change)).toEqual({ got: malformed, seen: [] });
  });

  const disguises = [
    ["a URI in quotes before another's", (own: string) => `"<sip:${own}>" <sip:mallory@acme.example>`],
    ["unescaped quotes around a URI", (own: string) => `"a" <sip:${own}> "b" <sip:mallory@acme.example>`],
    ["a quote that never ends", (own: string) => `"a <sip:mallory@acme.example>, <sip:${own}>`],
    ["a quote inside tokens", (own: string) => `a"<sip:mallory@acme.example>" <sip:${own}>`],
    ["an escaped quote at the end", (own: string) => `"a\\" <sip:mallory@acme.example>" <sip:${own}`],
    ["two URIs", (own: string) => `<sip:${own}><sip:mallory@acme.example>`],
    ["folding before another's URI", (own: string) => `"a"\r\n <sip:${own}>;x=\r\n <sip:mallory@acme.example>`],
    ["folding inside quotes", (own: string) => `"a\r\n <sip:mallory@acme.example>" <sip:${own}>`],
    ["a backslash in a parameter", (own: string) => `<sip:${own}>;x="\\" <sip:mallory@acme.example>"`],
    ["a bracket in the URI", (own: string) => `<sip:${own}<sip:mallory@acme.example>`],
    ["no brackets, but a comma", (own: string) => `sip:${own},sip:mallory@acme.example`],
  ] as const;

  it.each(disguises)("is never the one inside the quotes: From with %s", async (_, disguise) => {
    const edit = (text: string, { address }: User): string =>
      text.replace(/^From: <[^>]*>/m, `From: ${disguise(address)}`);
    const { got, seen } = await beside("INVITE", () => ({}), edit);
    expect([malformed, mismatch]).toContainEqual(got);
    expect(seen).toEqual([]);
  });

  it.each(disguises)("is never the one inside the quotes: To of REGISTER with %s", async (_, disguise) => {
    const edit = (text: string, { address }: User): string => text.replace(/^To: <[^>]*>/m, `To: ${disguise(address)}`);
    const { got, seen } = await beside("REGISTER", () => ({}), edit);
    expect([malformed, mismatch]).toContainEqual(got);
    expect(seen).toEqual([]);
  });

  it.each([
    ["a display name with escaped quotes and another's URI", String.raw`"Ali \"<sip:mallory@acme.example>\""`],
    ["a display name of tokens", "Alice Liddell"],
    ["an empty display name", '""'],
  ])("passes unchanged where it is plain: %s", async (_, display) => {
    const user = await scene.stranger("alice");
    const callId = `display-${unique()}`;
    const written = `From: ${display} <sip:${user.address}>`;
    const edit = (text: string): string => text.replace(/^From: <[^>]*>/m, () => written);
    await user.prove("MESSAGE", target("MESSAGE", user), { callId }, {}, edit);
    const seen = await scene.came(callId, "MESSAGE");
    expect(seen.raw).toContain(`\r\n${written};tag=`);
    expect(seen.header("X-Postern-Grant")).toContain(`:${user.address}|`);
  });
});
