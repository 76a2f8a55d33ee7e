import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Download, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { answerer } from "../../scripts/demo/calls.ts";
import { type Parts, startParts } from "../../scripts/demo/parts.ts";
import { Steps } from "../../scripts/demo/steps.ts";
import { startBrowser, type TestBrowser, type TestPage } from "../helpers/browser.ts";

/** Milliseconds for what passes through everything, on a machine that does other things. */
const patience = { timeout: 20_000 };
/** `npm run demo:pictures` asks for them. */
const pictures = process.env.DEMO_PICTURES === "1";

const inside = fileURLToPath(new URL("pages/demo.js", import.meta.url));

let parts: Parts;
let bob: { stop(): Promise<void> };
let browser: TestBrowser;
let first: TestPage;
let second: TestPage;

beforeAll(async () => {
  parts = await startParts(new Steps(() => undefined, new AbortController().signal));
  [bob, browser] = await Promise.all([answerer(parts), startBrowser()]);
  first = await open();
  second = await open();
}, 60_000);

afterAll(async () => {
  await browser?.close();
  await bob?.stop();
  await parts?.close();
});

async function open(): Promise<TestPage> {
  const opened = await browser.open();
  await opened.page.addInitScript({ path: inside });
  await opened.page.setViewportSize({ width: 1280, height: 960 });
  await opened.page.emulateMedia({ reducedMotion: "reduce" });
  await opened.page.goto(parts.pageUrl);
  await opened.page.locator("#state", { hasText: "online" }).waitFor(patience);
  return opened;
}

const userOf = async ({ page }: TestPage): Promise<string> => ((await page.textContent("#who")) ?? "").split("@")[0]!;

const rows = ({ page }: TestPage): Promise<string[]> => page.locator("#rows .message").allTextContents();

/** A picture for the README; the docs name it. */
async function picture(page: Page, name: string): Promise<void> {
  if (!pictures) return;
  const path = fileURLToPath(new URL(`../../docs/images/${name}.png`, import.meta.url));
  await page.screenshot({ path });
}

/** What an element of sound gets, as loud as it is: 0 is silence. */
const loudness = (meter: Locator): Promise<number> =>
  meter.evaluate((one) => (one as unknown as { value: number }).value);

async function call({ page }: TestPage, target: string): Promise<void> {
  await page.fill("#target", target);
  await page.click("#call");
}

const talking = ({ page }: TestPage): Promise<void> =>
  expect.poll(() => page.textContent("#stage"), patience).toBe("talking");

async function hangUp({ page }: TestPage): Promise<void> {
  await page.click("#hangup");
  await expect.poll(() => page.isHidden("#talk"), patience).toBe(true);
}

describe("the page", () => {
  it("comes whole under its strict policy, and registers as somebody of its own", async () => {
    expect(await userOf(first)).not.toBe(await userOf(second));
    const said = [first, second].flatMap(({ console, faults }) => [...console, ...faults]);
    expect(said.filter((line) => !line.startsWith("debug"))).toEqual([]);
  });

  it("shows each message of its registration with the verdict on it, and masked", async () => {
    await expect.poll(() => rows(first), patience).toHaveLength(6);
    const [challenged, challenge, accepted, granted] = await rows(first);
    expect(challenged).toMatch(/browser to Postern: REGISTER sip:acme\.example.*challenged/);
    expect(challenge).toMatch(/Postern to browser: 401 Unauthorized/);
    expect(accepted).toMatch(/REGISTER.*accepted.*acme.*secret k1.*\d+ s left/);
    expect(granted).toMatch(/Postern to Kamailio: REGISTER.*grant for [a-z]+@acme\.example.*\d+ s left.*customer acme/);
    const whole = (await first.page.locator("#rows pre").allTextContents()).join("\n");
    expect(whole).toContain("Authorization: ***");
    expect(whole).toContain("X-Postern-Token: ***");
    expect(whole).not.toMatch(/response="[0-9a-f]{8}|X-Postern-Grant: \d/);
  });

  it("opens a message at a press", async () => {
    const { page } = first;
    const message = page.locator("#rows pre").first();
    expect(await message.isHidden()).toBe(true);
    await page.locator("#rows .message").first().press("Enter");
    expect(await message.isVisible()).toBe(true);
    expect(await message.textContent()).toMatch(/^REGISTER sip:acme\.example SIP\/2\.0\r\n/);
    await page.locator("#rows .message").first().click();
  });
});

describe("the button", () => {
  it("calls acme's trunk, and the echo is heard", async () => {
    const { page } = first;
    await page.getByRole("button", { name: "Talk to us" }).click();
    await page.getByText("Connected.").waitFor(patience);
    await expect.poll(() => page.evaluate("loudest()"), patience).toBeGreaterThan(0.01);
    await expect
      .poll(async () => (await rows(first)).find((row) => /Kamailio to trunk: ACK/.test(row)), patience)
      .toBeDefined();
    // A press so soon after the first would be taken for a double click.
    await page.getByText(/^0:(?!00)\d\d$/).waitFor(patience);
    await picture(page, "demo-button");
    await page.getByRole("button", { name: "Hang up" }).click();
    await page.getByText("The call has ended.").waitFor(patience);
  });

  it("shows the call up to the trunk: whose grant, whose caller id, and back", async () => {
    await expect
      .poll(async () => (await rows(first)).some((row) => /trunk to Kamailio: 200 OK/.test(row)), patience)
      .toBe(true);
    const shown = (await rows(first)).join("\n");
    expect(shown).toMatch(
      /Postern to Kamailio: INVITE.*grant for.*trunk sip:127\.0\.0\.9:\d+.*caller \+3225887000.*at most 14400 s/,
    );
    expect(shown).toMatch(/Kamailio to trunk: INVITE sip:\+3225887123@127\.0\.0\.9/);
    const atTrunk = await first.page.locator("#rows pre", { hasText: "+3225887123@127.0.0.9" }).first().textContent();
    expect(atTrunk).toMatch(/^From:.*\+3225887000@/m);
    expect(atTrunk).not.toMatch(/x-postern|authorization/i);
  });

  it("is nothing that another page sees", async () => {
    expect(await rows(second)).toHaveLength(6);
  });
});

describe("the softphone", () => {
  it("calls bob, who is heard", async () => {
    await call(first, "bob");
    await talking(first);
    await expect.poll(() => loudness(first.page.locator("#theirs")), patience).toBeGreaterThan(0.3);
    await hangUp(first);
    expect(await first.page.textContent("#said")).toBe("The call is over.");
  });

  it("calls the other page, which answers; both are heard", async () => {
    await call(first, await userOf(second));
    await second.page.getByRole("alertdialog").waitFor(patience);
    expect(await second.page.textContent("#ringing-who")).toBe(`${await userOf(first)} is calling`);
    await second.page.click("#answer");
    await Promise.all([talking(first), talking(second)]);
    for (const { page } of [first, second]) {
      await expect.poll(() => loudness(page.locator("#theirs")), patience).toBeGreaterThan(0.1);
      await expect.poll(() => loudness(page.locator("#mine")), patience).toBeGreaterThan(0.1);
    }
  });

  it("holds, and takes up again", async () => {
    const { page } = first;
    await page.click("#hold");
    await expect.poll(() => page.textContent("#stage"), patience).toBe("on hold");
    await expect.poll(() => second.page.textContent("#stage"), patience).toBe("the other side holds");
    await page.click("#hold");
    await Promise.all([talking(first), talking(second)]);
  });

  it("mutes its microphone", async () => {
    const { page } = first;
    await page.click("#mute");
    expect(await page.getAttribute("#mute", "aria-pressed")).toBe("true");
    await expect.poll(() => loudness(page.locator("#mine")), patience).toBe(0);
    await page.click("#mute");
  });

  it("sends tones, by INFO where asked to", async () => {
    const { page } = first;
    await page.click("#info");
    await page.locator("#keys").getByText("5", { exact: true }).click();
    await expect
      .poll(async () => (await rows(second)).find((row) => /Postern to browser: INFO/.test(row)), patience)
      .toBeDefined();
    await page.click("#info");
  });

  it("knows the devices, and takes another microphone during the call: muted it stays, and is given back at the end", async () => {
    const { page } = first;
    const taken = (): Promise<number> => page.evaluate("taken.length");
    const before = await taken();
    await page.click("#mute");
    await page.getByText("Devices").click();
    const devices = page.locator("#microphone option");
    await expect.poll(() => devices.count(), patience).toBeGreaterThan(1);
    await page.locator("#microphone").selectOption({ index: 1 });
    await expect.poll(taken, patience).toBe(before + 1);
    await expect.poll(() => page.evaluate("taken.at(-2).readyState"), patience).toBe("ended");
    expect(await page.evaluate("taken.at(-1).enabled")).toBe(false);
    await page.evaluate("refusal = 'It is in use.'");
    await page.locator("#microphone").selectOption({ index: 2 });
    await expect.poll(() => page.textContent("#said"), patience).toBe("It is in use.");
    await page.click("#mute");
    await expect.poll(() => loudness(page.locator("#mine")), patience).toBeGreaterThan(0.1);
    await expect.poll(() => loudness(second.page.locator("#theirs")), patience).toBeGreaterThan(0.1);
    await hangUp(first);
    expect(await page.evaluate("taken.filter(({ readyState }) => readyState === 'live').length")).toBe(0);
    await expect.poll(() => second.page.isHidden("#talk"), patience).toBe(true);
  });

  it("calls by the microphone that is chosen", async () => {
    const { page } = first;
    await call(first, "bob");
    await talking(first);
    const chosen = await page.locator("#microphone").inputValue();
    expect(await page.evaluate("taken.at(-1).getSettings().deviceId")).toBe(chosen);
    await hangUp(first);
  });

  it("says why it cannot call: another number, nobody there, offline", async () => {
    const { page } = second;
    await call(second, "+442071234567");
    await expect.poll(() => page.textContent("#said"), patience).toMatch(/^destination-denied: .{20,}/);
    await page.uncheck("#online");
    await expect.poll(() => page.textContent("#state"), patience).toBe("offline");
    await call(first, await userOf(second));
    await expect.poll(() => first.page.textContent("#said"), patience).toBe("Nobody of that name is online now.");
    await page.check("#online");
    await expect.poll(() => page.textContent("#state"), patience).toBe("online");
  });

  it("declines", async () => {
    await call(first, await userOf(second));
    await second.page.click("#decline");
    await expect.poll(() => first.page.textContent("#said"), patience).toMatch(/Busy|declined/);
  });
});

describe("what is exported", () => {
  const exported = async (name: string): Promise<Buffer> => {
    const downloading = first.page.waitForEvent("download");
    await first.page.getByRole("button", { name }).click();
    const download: Download = await downloading;
    return readFileSync(await download.path());
  };

  it("is the ladder as text, without a secret", async () => {
    const text = (await exported("Export text")).toString();
    expect(text).toMatch(/browser +postern +kamailio +trunk\n/);
    expect(text).toMatch(/verdict: accepted, customer acme, secret k1, \d+ s left/);
    expect(text).toMatch(/grant: [a-z]+@acme\.example, \d+ s left, trunk=sip:127\.0\.0\.9/);
    expect(text).not.toMatch(/response="[0-9a-f]{8}|X-Postern-(?:Grant|Token): [^*]/);
  });

  it("is a capture with as many frames as there are messages", async () => {
    const file = await exported("Export pcap");
    let frames = 0;
    for (let at = 24; at < file.length; at += 16 + file.readUInt32LE(at + 8)) frames++;
    expect(frames).toBe((await rows(first)).length);
    expect(file.includes("INVITE sip:bob@acme.example SIP/2.0\r\n")).toBe(true);
  });

  it("begins anew where the ladder was cleared", async () => {
    await second.page.getByRole("button", { name: "Clear" }).click();
    // What is on its way yet may still come; what was there is gone.
    await expect.poll(async () => (await rows(second)).filter((row) => row.includes("INVITE")), patience).toEqual([]);
    expect((await rows(first)).length).toBeGreaterThan(40);
  });
});

describe("the other tabs", () => {
  it("are the servlet in eight languages", async () => {
    const { page } = first;
    await page.getByRole("tab", { name: "Servlet in 8 languages" }).click();
    const languages = page.locator("#languages button");
    await expect.poll(() => languages.count(), patience).toBe(8);
    await languages.getByText("Python").click();
    expect(await page.textContent("#code")).toContain("def credential(secret, user, expiry");
    expect(await page.textContent("#command")).toMatch(
      /^SIP_SECRET="\$\(cat .*acme\.secret\)"[\s\S]*python3 examples\/minting\/mint\.py/,
    );
    await picture(page, "demo-servlets");
  });

  it("are an inspector, which tells good from expired from wrong", async () => {
    const { page } = first;
    await page.getByRole("tab", { name: "Servlet in 8 languages" }).press("ArrowRight");
    for (const [sample, verdict] of [
      ["good", /accepted.*acme.*k1.*alice@acme\.example/],
      ["forged token", /credential-rejected/],
      ["narrowed token", /accepted.*numbers \+3225887000, one call.*"oneCall": true/s],
      ["wrong password", /credential-rejected/],
      ["expired", /credential-expired.*get a new one.*-\d\d/],
    ] as const) {
      await page.locator("#samples").getByText(sample, { exact: true }).click();
      await expect.poll(() => page.textContent("#verdict"), patience).toMatch(verdict);
    }
    await picture(page, "demo-inspector");
  });

  it("take what a servlet printed as it is", async () => {
    const { page } = first;
    const { username, password } = parts.minter.mint("carol", 200);
    await page.fill("#token", JSON.stringify({ username, password, token: "a.b.c" }));
    await page.getByRole("button", { name: "Inspect" }).click();
    await expect.poll(() => page.textContent("#verdict"), patience).toMatch(/accepted.*carol@acme\.example/);
  });
});

describe("a reload", () => {
  it("keeps who the page is, and its ladder", async () => {
    const user = await userOf(first);
    const before = (await rows(first)).length;
    await first.page.emulateMedia({ colorScheme: "dark", reducedMotion: "reduce" });
    await first.page.reload();
    await expect.poll(() => first.page.textContent("#state"), patience).toBe("online");
    await expect.poll(async () => (await rows(first)).length, patience).toBeGreaterThanOrEqual(before);
    expect(await userOf(first)).toBe(user);
    await call(first, "+3225887123");
    await talking(first);
    await expect.poll(() => loudness(first.page.locator("#theirs")), patience).toBeGreaterThan(0.3);
    await picture(first.page, "demo-dark");
    await hangUp(first);
  });
});

describe("another origin in the same browser", () => {
  it("can neither read the demo nor connect in its name", async () => {
    const port = new URL(parts.pageUrl).port;
    const stranger = await browser.open();
    await stranger.page.addInitScript({ path: inside });
    // The same server, by a name that is nobody's of the demo: it answers, but as somebody else's page.
    await stranger.page.goto(`http://www.mallory.example:${port}/healthz`);
    const tried = await stranger.page.evaluate(`tryAll("${parts.pageUrl}")`);
    expect(tried).toEqual({ visit: "TypeError", simple: "TypeError", ladder: "TypeError", socket: 4403 });
    await stranger.close();
  });
});
