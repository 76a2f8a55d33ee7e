import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type OpenOptions, startBrowser, type TestBrowser, type TestPage } from "../helpers/browser.ts";
import { jssipBundle } from "../helpers/jssip-bundle.ts";
import { credential } from "../helpers/raw-client.ts";
import { header, reply } from "../helpers/raw-sip.ts";
import { Scene } from "../helpers/scene.ts";
import { openSite, own, type Site } from "./site.ts";

const number = "+3225887123";
/** A customer's page that browsers trust, one of nobody's, and one that is not secure. */
const [foreign, insecure] = ["www.mallory.example", "plain.acme.example"];

let site: Site;
let scene: Scene;
let browser: TestBrowser;
let jssip: string;
const pages: TestPage[] = [];

const shipped = (file: string): string =>
  readFileSync(new URL(`../../src/client/browser/${file}`, import.meta.url), "utf8");

beforeAll(async () => {
  site = await openSite("phone");
  jssip = await jssipBundle();
  site.server.handle("/favicon.ico", (_request, response) => response.writeHead(204).end());
  site.server.handle("/minted", (_request, response) => response.end(JSON.stringify(credential("alice@acme.example"))));
  for (const file of ["call.js", "connect.js"]) site.server.script(`/${file}`, shipped(file));
  const acme = `    origins: ["${site.origin()}", "${site.origin(insecure)}"]\n`;
  const globex = `    origins: ["${site.origin("www.globex.example")}"]\n`;
  scene = await Scene.open({ trunk: "answer", acme, globex });
  browser = await startBrowser({ secure: [own, foreign].map((host) => site.origin(host)) });
});

afterEach(async () => {
  await Promise.all(pages.splice(0).map((page) => page.close()));
});

afterAll(async () => {
  await browser?.close();
  await scene?.close();
  await site?.close();
});

interface Visit extends OpenOptions {
  readonly host?: string;
  /** Attributes of the tag beside those that it always has. */
  readonly tag?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether the tag is in the head; else it is in the text. */
  readonly head?: true;
  /** Markup before the tag, which a visitor may have written. */
  readonly markup?: string;
  /** Runs in the page before all else. */
  readonly before?: string;
  /** Whether the visitor has logged in; true. */
  readonly user?: string | undefined;
}

const strict = (): string =>
  `default-src 'none'; script-src 'self'; connect-src 'self' ${scene.gateway.gatewayUrl}; base-uri 'none'; form-action 'self'`;

/** A page with one tag and nothing else, under a policy that allows scripts of its own and nothing inline. */
async function visit({
  host = own,
  tag = {},
  headers,
  head,
  markup = "",
  before,
  user = "alice",
  ...rest
}: Visit = {}): Promise<TestPage> {
  const page = await browser.open(rest);
  pages.push(page);
  if (before) await page.page.addInitScript(before);
  await page.page.addInitScript(`
    addEventListener("securitypolicyviolation", ({ violatedDirective }) => tell({ what: "violation", violatedDirective }));
    addEventListener("postern-call", ({ detail }) => tell({ what: detail.state }));`);
  if (user) await site.logIn(page, user);
  const integrity = `sha256-${createHash("sha256").update(jssip).digest("base64")}`;
  const attributes = {
    ...{ src: "/call.js", "data-number": number, "data-credentials": "/sip-credential" },
    ...{ "data-server": scene.gateway.gatewayUrl, "data-jssip": "/jssip.js", "data-jssip-integrity": integrity },
    ...tag,
  };
  const written = Object.entries(attributes).map(([name, value]) => ` ${name}="${value}"`);
  const script = `<script${written.join("")}></script>`;
  const html = head ? `<head>${script}</head><body><p id="here">` : `<body><p>Call us:</p>${markup}${script}</body>`;
  site.server.html("/button", html, { "content-security-policy": strict(), ...headers });
  await page.page.goto(`${site.origin(host)}/button`);
  return page;
}

const main = ({ page }: TestPage) => page.getByRole("button", { name: /^(Call|Hang up)$/ });
const status = ({ page }: TestPage) => page.getByRole("status");
const said = (page: TestPage, sentence: string | RegExp) => status(page).filter({ hasText: sentence }).waitFor();

/** What the page told of its policy. */
const violations = async (page: TestPage) => {
  await page.page.evaluate("tell({ what: 'asked' })");
  await page.told("asked");
  return page.heard("violation");
};

/** The page's call at the trunk: its message of that method. */
function atTrunk(page: TestPage, method: string): Promise<string> {
  const callId = header(page.sent("INVITE").at(-1) ?? "", "Call-ID");
  return scene.trunk.waitFor((message) => message.startsWith(`${method} `) && header(message, "Call-ID") === callId);
}

async function talking(page: TestPage): Promise<void> {
  await main(page).click();
  await page.told("talking");
  await atTrunk(page, "ACK");
}

async function noCall(page: TestPage, sentence: string | RegExp): Promise<void> {
  await said(page, sentence);
  await page.page.getByRole("button", { name: "Call" }).waitFor();
  expect(page.sent("INVITE")).toEqual([]);
  expect(page.faults).toEqual([]);
}

/** Contrast of text and background, by WCAG 2, of the main button and the sentence below it. */
const contrastsInPage = `(() => {
  const { shadowRoot } = document.querySelector("span[data-theme]");
  const light = (colour) => {
    const [r, g, b] = colour.match(/[\\d.]+/g).map((one) => one / 255).map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  return [[".main", ".main"], ["p", ".box"]].map(([text, ground]) => {
    const of = (selector) => getComputedStyle(shadowRoot.querySelector(selector));
    const [low, high] = [light(of(text).color), light(of(ground).backgroundColor)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  });
})()`;

/** What the page was given as microphone is `taken`. */
const keepsMicrophone = `
  const { getUserMedia } = MediaDevices.prototype;
  MediaDevices.prototype.getUserMedia = async function (asked) {
    return (globalThis.taken = await getUserMedia.call(this, asked));
  };`;

describe("the call button", () => {
  it("calls from a page under a strict policy, and hangs up; nothing is loaded or connected before the press", async () => {
    const page = await visit({ tag: { "data-keypad": "" }, before: keepsMicrophone });
    await main(page).waitFor();
    expect(await page.page.evaluate("[typeof JsSIP, performance.getEntriesByType('resource').length]")).toEqual([
      "undefined",
      1,
    ]);
    await talking(page);
    expect(await atTrunk(page, "INVITE")).toMatch(/^INVITE sip:\+3225887123@/);
    await said(page, "Connected.");
    expect(await page.page.getByRole("timer").textContent()).toMatch(/^\d:\d\d$/);
    await page.page.getByRole("button", { name: "Keypad" }).click();
    await page.page.getByRole("group", { name: "Keypad" }).getByRole("button", { name: "5" }).click();
    expect(await atTrunk(page, "INFO")).toMatch(/^Signal=5/m);
    await main(page).click();
    await said(page, "The call has ended.");
    await atTrunk(page, "BYE");
    expect(await page.page.evaluate("taken.getTracks().map(({ readyState }) => readyState)")).toEqual(["ended"]);
    expect(page.statuses("REGISTER")).toEqual([]);
    expect(page.faults).toEqual([]);
    expect(page.console).toEqual([]);
    expect(await violations(page)).toEqual([]);
    await expect(page.page.evaluate("localStorage.length + sessionStorage.length")).resolves.toBe(0);
  });

  it("is used by keyboard alone, keeps the focus, and has a role, a name and a state for everything", async () => {
    const page = await visit({ tag: { "data-keypad": "" } });
    await page.page.keyboard.press("Tab");
    await page.page.keyboard.press("Enter");
    await page.told("talking");
    expect(await page.page.evaluate("document.activeElement.shadowRoot.activeElement.textContent")).toBe("Hang up");
    for (const name of ["Mute", "Keypad"]) {
      await page.page.keyboard.press("Tab");
      const focused = page.page.getByRole("button", { name });
      await page.page.keyboard.press("Space");
      const state = name === "Mute" ? "aria-pressed" : "aria-expanded";
      await expect.poll(() => focused.getAttribute(state)).toBe("true");
    }
    await main(page).focus();
    await page.page.keyboard.press("Enter");
    await atTrunk(page, "BYE");
    expect(page.faults).toEqual([]);
  });

  it("stands where data-in says, under a policy of nonces alone; who is muted is not heard", async () => {
    const headers = { "content-security-policy": strict().replace("script-src 'self'", "script-src 'nonce-once'") };
    const page = await visit({
      tag: { nonce: "once", "data-in": "#here" },
      head: true,
      headers,
      before: keepsMicrophone,
    });
    await page.page.locator("#here").getByRole("button", { name: "Call" }).waitFor();
    await talking(page);
    expect(await page.page.getByRole("button", { name: "Keypad" }).count()).toBe(0);
    const enabled = () => page.page.evaluate("taken.getAudioTracks().map((track) => track.enabled)");
    for (const heard of [false, true]) {
      await page.page.getByRole("button", { name: "Mute" }).click();
      expect(await enabled()).toEqual([heard]);
    }
    expect([await violations(page), page.faults]).toEqual([[], []]);
  });

  it.each(["its tag", "the site's answer"])(
    "calls by the second server that %s names where the first is not there",
    async (where) => {
      const servers = ["ws://127.0.0.1:9", scene.gateway.gatewayUrl];
      const answer = JSON.stringify({ ...credential("alice@acme.example"), uris: servers });
      site.server.handle("/several", (_request, response) => response.end(answer));
      const tag =
        where === "its tag"
          ? { "data-server": servers.join(" ") }
          : { "data-server": "", "data-credentials": "/several" };
      const headers = { "content-security-policy": strict().replace("connect-src", "connect-src ws://127.0.0.1:9") };
      const page = await visit({ tag, headers });
      await talking(page);
      expect(page.heard("server-unreachable")).toEqual([]);
    },
  );

  it("makes one call of a double click, and keeps it", async () => {
    const page = await visit();
    await main(page).dblclick();
    await page.told("talking");
    await atTrunk(page, "ACK");
    await main(page).click();
    await page.told("ended");
    expect(new Set(page.sent("INVITE").map((text) => header(text, "Call-ID"))).size).toBe(1);
  });

  it("takes its own tag for it, whatever in the page has that name (DOM clobbering)", async () => {
    const [theirs, script] = ["/uploads/", "tell({ what: 'theirs' })"];
    for (const file of ["connect.js", "jssip.js"]) site.server.script(theirs + file, script);
    const markup = `<img name="currentScript" src="${theirs}x" data-number="1" data-credentials="/" data-jssip="${theirs}jssip.js">`;
    const page = await visit({ markup });
    await main(page).click();
    expect(await Promise.race([page.told("talking"), page.told("theirs")])).toEqual({ what: "talking" });
    await atTrunk(page, "ACK");
  });

  it("is as it was after a reload in a call, which the trunk hears the end of", async () => {
    const page = await visit();
    await talking(page);
    const ended = atTrunk(page, "BYE");
    await page.page.reload();
    await ended;
    await talking(page);
    expect(page.faults).toEqual([]);
  });

  it("is readable in both states of its dark theme", async () => {
    const page = await visit({ tag: { "data-theme": "dark", "data-ring": "30", "data-number": "nobody-else" } });
    await page.page.emulateMedia({ reducedMotion: "reduce" });
    const contrasts = (): Promise<number[]> => page.page.evaluate(contrastsInPage);
    expect(Math.min(...(await contrasts()))).toBeGreaterThanOrEqual(4.5);
    await main(page).click();
    await page.told("microphone");
    expect(Math.min(...(await contrasts()))).toBeGreaterThanOrEqual(4.5);
  });

  it("speaks the page's language, without network too", async () => {
    const tag = {
      "data-lang": "de",
      "data-label": "Rufen Sie uns an",
      "data-text-offline": "Kein Netz.",
      "data-theme": "dark",
    };
    const page = await visit({ tag });
    const button = page.page.getByRole("button", { name: "Rufen Sie uns an" });
    await button.waitFor();
    await page.page.context().setOffline(true);
    await said(page, "Kein Netz.");
    await button.click();
    await page.told("offline");
    await said(page, "Kein Netz.");
    expect(await page.page.evaluate("document.querySelector('span').lang")).toBe("de");
    await page.page.context().setOffline(false);
    await said(page, /^$/);
    await button.click();
    await page.told("talking");
    expect(page.faults).toEqual([]);
  });
});

describe("why it cannot call is said on the page", () => {
  it("a page that is not secure, before anybody presses", async () => {
    const page = await visit({ host: insecure });
    await said(page, "Calls need a secure page (https).");
    await main(page).click({ force: true });
    await noCall(page, "Calls need a secure page (https).");
    expect(page.frames).toEqual([]);
  });

  it("the microphone is refused", async () => {
    const page = await visit({ headers: { "permissions-policy": "microphone=()" } });
    await main(page).click();
    await noCall(page, /^The microphone is not allowed\./);
    expect(page.frames).toEqual([]);
  });

  it("there is no microphone, or another program has it", async () => {
    const before = `MediaDevices.prototype.getUserMedia = async () => { throw new DOMException("", globalThis.fault) };`;
    const page = await visit({ before });
    for (const [fault, sentence] of [
      ["NotFoundError", /^There is no microphone\./],
      ["NotReadableError", /^The microphone cannot be used\./],
    ] as const) {
      await page.page.evaluate(`globalThis.fault = "${fault}"`);
      await main(page).click();
      await noCall(page, sentence);
    }
  });

  it("nobody has logged in", async () => {
    const page = await visit({ user: "" });
    await main(page).click();
    await noCall(page, "The call could not be made: log in first");
  });

  it("the site gives no credential, whatever else it gives; markup is text", async () => {
    const page = await visit({ tag: { "data-credentials": "/given" } });
    const markup = "<img src=x onerror=tell({what:'owned'})>";
    for (const [status, body, sentence] of [
      [500, "oops", /The site answered 500 and gave no credential\.$/],
      [404, "", /The site answered 404 and gave no credential\.$/],
      [200, "<html>Log in", /gave no credential that can be used: it is no JSON\.$/],
      [200, '{"__proto__":{"username":"1:a@b","password":"c","ttl":9}}', /that can be used: it is not there\.$/],
      [403, JSON.stringify({ detail: markup }), `The call could not be made: ${markup}`],
    ] as const) {
      site.server.handle("/given", (_request, response) => response.writeHead(status).end(body));
      await main(page).click();
      await noCall(page, sentence);
    }
    expect(await page.page.evaluate("document.querySelectorAll('img').length")).toBe(0);
    expect([page.heard("owned"), await violations(page)]).toEqual([[], []]);
  });

  it("the site takes its time: the visitor may give up, and is told in the end", async () => {
    site.server.handle("/slow", () => undefined);
    const page = await visit({ tag: { "data-credentials": "/slow" }, ownClock: true });
    await main(page).click();
    await page.told("connecting");
    await main(page).click();
    await noCall(page, "The call has ended.");
    await main(page).click();
    await page.told("connecting");
    await page.page.clock.fastForward(21_000);
    await noCall(page, /could not be reached/);
  });

  it.each([
    { why: "JsSIP is not there", tag: { "data-jssip": "/nowhere.js" } },
    { why: "JsSIP is another than the page's", tag: { "data-jssip-integrity": `sha256-${"A".repeat(43)}=` } },
  ])("$why", async ({ tag }) => {
    const page = await visit({ tag });
    await main(page).click();
    await noCall(page, "The telephone on this page could not be loaded.");
  });

  it.each(["data-number", "data-credentials"])("its tag has no %s; the microphone is not asked for", async (name) => {
    const page = await visit({ tag: { [name]: "" } });
    await main(page).click();
    await noCall(page, /^This button is not set up: its tag needs .*data-credentials\.$/);
    expect(page.heard("microphone")).toEqual([]);
  });

  it("there is no server", async () => {
    const headers = { "content-security-policy": "" };
    const page = await visit({ tag: { "data-server": "ws://127.0.0.1:9" }, headers });
    await main(page).click();
    await noCall(page, "The telephone server could not be reached. Try again later.");
  });

  it("the page is nobody's: the socket is closed with 4403 and the gateway's sentence", async () => {
    const page = await visit({ host: foreign, tag: { "data-credentials": "/minted" } });
    await main(page).click();
    await noCall(page, /^The call could not be made: .*origin.*: add it to origins$/i);
  });

  it("the number is not the customer's: the gateway's sentence", async () => {
    const page = await visit({ tag: { "data-number": "+4930123456" } });
    await main(page).click();
    await said(page, /^The call could not be made: .{20}/);
    expect(page.faults).toEqual([]);
  });

  it("busy, declined, nobody answers; it moves while it rings, where motion is wanted", async () => {
    const bob = await scene.user("bob");
    const page = await visit({ tag: { "data-number": bob.name, "data-ring": "90" }, ownClock: true });
    for (const [answer, sentence] of [
      ["486 Busy Here", "The line is busy."],
      ["603 Decline", "The call was not accepted."],
    ] as const) {
      await main(page).click();
      const invite = await bob.client.take((text) => text.startsWith("INVITE "));
      bob.client.send(reply(invite, { status: answer, tag: "b" }));
      await said(page, sentence);
    }
    await main(page).click();
    const forged = ["Postern-Code: destination-denied", 'Warning: 399 postern "call +1900 instead"'];
    const refusing = await bob.client.take((text) => text.startsWith("INVITE "));
    bob.client.send(reply(refusing, { status: "403 Forbidden", tag: "b", extra: forged }));
    await said(page, /^The call could not be made: Rejected 403$/);
    await main(page).click();
    const invite = await bob.client.take((text) => text.startsWith("INVITE "));
    bob.client.send(reply(invite, { status: "180 Ringing", tag: "b", contact: bob.contact }));
    await page.told("ringing");
    const moving =
      "document.querySelector('span').shadowRoot.getAnimations().filter((one) => one instanceof CSSAnimation).length";
    expect(await page.page.evaluate(moving)).toBe(1);
    await page.page.emulateMedia({ reducedMotion: "reduce" });
    expect(await page.page.evaluate(moving)).toBe(0);
    await page.page.clock.fastForward(91_000);
    await bob.client.take((text) => text.startsWith("CANCEL "));
    await said(page, "Nobody answered.");
    expect(page.faults).toEqual([]);
  });
});
