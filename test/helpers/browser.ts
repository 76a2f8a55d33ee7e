import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { chromium, type Page, type WebSocket } from "playwright-core";
import { temporaryDir } from "./temporary.ts";

/** Something that a page told by `tell({ what, … })`. */
export interface Told {
  readonly what: string;
  readonly [name: string]: unknown;
}

/** One SIP message on a page's WebSocket. */
export interface Frame {
  readonly way: "sent" | "received";
  readonly text: string;
}

export interface OpenOptions {
  /** What the page's scripts find as `settings`. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** The page's clock is the test's to forward; it runs on from now. */
  readonly ownClock?: boolean;
}

/** Milliseconds. */
const patience = 10_000;

/** A page with cookies of its own. */
export class TestPage {
  readonly page: Page;
  /** Exceptions that nobody caught. */
  readonly faults: string[] = [];
  readonly console: string[] = [];
  readonly frames: Frame[] = [];
  readonly #told: Told[] = [];
  readonly #looks = new Set<() => void>();

  private constructor(page: Page) {
    this.page = page;
    page.on("pageerror", (error) => this.faults.push(String(error)));
    page.on("console", (message) => this.console.push(`${message.type()}: ${message.text()}`));
    page.on("websocket", (socket) => this.#listen(socket));
  }

  static async open(page: Page, { settings = {}, ownClock = false }: OpenOptions): Promise<TestPage> {
    const opened = new TestPage(page);
    if (ownClock) await page.clock.install();
    await page.exposeFunction("tell", (told: Told) => opened.#hear(told));
    await page.addInitScript((given) => Object.assign(globalThis, { settings: given }), settings);
    return opened;
  }

  /** The next thing of that name that the page tells or has told; each is given once. */
  told(what: string): Promise<Told> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const at = this.#told.findIndex((told) => told.what === what);
        if (at < 0) return;
        settle();
        resolve(this.#told.splice(at, 1)[0]!);
      };
      const settle = (): void => {
        clearTimeout(timer);
        this.#looks.delete(look);
      };
      const timer = setTimeout(() => {
        settle();
        reject(new Error(`the page told of no "${what}" within ${patience} ms, but:\n${this.#account()}`));
      }, patience);
      this.#looks.add(look);
      look();
    });
  }

  /** What the page has told of that name so far. */
  heard(what: string): Told[] {
    return this.#told.filter((told) => told.what === what);
  }

  /** An expression in the page's own words: `voxbone.WebRTC.call("+32…")`. */
  async run(expression: string): Promise<void> {
    await this.page.evaluate(`void (${expression})`);
  }

  /** What the page sent of this method. */
  sent(method: string): string[] {
    return this.frames
      .filter(({ way, text }) => way === "sent" && text.startsWith(`${method} `))
      .map(({ text }) => text);
  }

  /** Statuses of what came for requests of this method, in order. */
  statuses(method: string): number[] {
    const answers = this.frames.filter(
      ({ way, text }) => way === "received" && new RegExp(`^CSeq: \\d+ ${method}\\r$`, "m").test(text),
    );
    return answers.map(({ text }) => Number(/^SIP\/2\.0 (\d{3})/.exec(text)?.[1]));
  }

  close(): Promise<void> {
    return this.page.close();
  }

  #hear(told: Told): void {
    this.#told.push(told);
    for (const look of [...this.#looks]) look();
  }

  #listen(socket: WebSocket): void {
    const note = (way: Frame["way"]) => {
      return ({ payload }: { payload: string | Buffer }) => this.frames.push({ way, text: payload.toString() });
    };
    socket.on("framesent", note("sent")).on("framereceived", note("received"));
  }

  #account(): string {
    const messages = this.frames.map(({ way, text }) => `${way} ${text.split("\r\n", 1)[0]}`);
    return [...this.#told.map((told) => JSON.stringify(told)), ...this.faults, ...messages, ...this.console].join("\n");
  }
}

export interface TestBrowser {
  open(options?: OpenOptions): Promise<TestPage>;
  close(): Promise<void>;
}

/** What asks the network for names by multicast, or for https where a test has http. */
const talkative = ["WebRtcHideLocalIpsWithMdns", "MediaRouter", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable"];

/**
 * A real Chromium, headless, with a microphone that plays. Every name under .example is 127.0.0.1; of others
 * there is localhost alone; any certificate is good; cookies go wherever their attributes let them, as in browsers that do
 * not guard against third parties. secure: http origins that get the microphone as if they were https.
 */
export async function startBrowser({
  secure = [],
}: {
  readonly secure?: readonly string[];
} = {}): Promise<TestBrowser> {
  const profile = temporaryDir("browser");
  mkdirSync(join(profile, "Default"));
  writeFileSync(join(profile, "Default/Preferences"), JSON.stringify({ profile: { cookie_controls_mode: 0 } }));
  const main = await chromium.launchPersistentContext(profile, {
    executablePath: program(),
    args: [
      "--no-sandbox",
      "--no-proxy-server",
      `--disable-features=${talkative.join(",")}`,
      "--ignore-certificate-errors",
      "--host-resolver-rules=MAP *.example 127.0.0.1,MAP * ~NOTFOUND,EXCLUDE 127.0.0.1,EXCLUDE localhost",
      `--unsafely-treat-insecure-origin-as-secure=${secure.join(",")}`,
      "--use-fake-ui-for-media-stream",
      "--use-fake-device-for-media-stream",
      "--autoplay-policy=no-user-gesture-required",
      "--allow-loopback-in-peer-connection",
    ],
  });
  return {
    open: async (options = {}) => TestPage.open(await main.browser()!.newPage(), options),
    close: async () => {
      await main.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

function program(): string {
  const places = (process.env.PATH ?? "").split(delimiter).map((folder) => join(folder, "chromium"));
  const found = places.find((place) => existsSync(place));
  if (found === undefined) throw new Error("chromium is missing: apt-get install chromium");
  return found;
}
