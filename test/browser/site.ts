import { readFileSync } from "node:fs";
import type { TestPage } from "../helpers/browser.ts";
import { acmeSecret } from "../helpers/gateway.ts";
import { jssipBundle } from "../helpers/jssip-bundle.ts";
import { PageServer, startServlet } from "../helpers/page-server.ts";

export const jwtSecret = "the-jwt-secret-of-acme-in-tests-0123";

/** acme's web site: its login and its servlet, JsSIP, and one script of test/browser/pages. */
export interface Site {
  origin(host?: string): string;
  /** A page with JsSIP, the scripts given and the site's own script, in this order. */
  page(path: string, scripts?: string, headers?: Readonly<Record<string, string>>): void;
  /** As a visitor does it. */
  logIn(page: TestPage, user: string): Promise<void>;
  readonly server: PageServer;
  close(): Promise<void>;
}

export const own = "www.acme.example";

export async function openSite(
  script: "voxbone" | "token" | "phone" | "audio",
  scheme: "http" | "https" = "http",
): Promise<Site> {
  const server = await PageServer.open(scheme);
  const origin = (host = own): string => server.origin(host);
  const secrets = { SIP_SECRET: acmeSecret, JWT_KEY_ID: "j1", JWT_SECRET: jwtSecret };
  const servlet = await startServlet(origin(), secrets);
  server.pass(servlet.url, "/", "/login", "/token", "/sip-credential", "/voxrtc_config.js");
  server.script("/jssip.js", await jssipBundle());
  server.script("/own.js", readFileSync(new URL(`./pages/${script}.js`, import.meta.url), "utf8"));
  return {
    origin,
    server,
    page: (path, scripts = "", headers = {}) =>
      server.html(path, `<script src="/jssip.js"></script>${scripts}<script src="/own.js"></script>`, headers),
    logIn: async ({ page }, user) => {
      await page.goto(origin());
      await page.fill("[name=user]", user);
      await page.click("button");
      await page.getByText(`Hello ${user}`).waitFor();
    },
    close: async () => {
      await servlet.stop();
      await server.close();
    },
  };
}
