import { Writable } from "node:stream";
import type { Clock } from "../../src/core/clock.ts";
import { type Running, type StartOptions, start } from "../../src/main.ts";
import { createLog } from "../../src/telemetry/log.ts";
import { ConfigFolder } from "./config-file.ts";

export const chainSecret = "the-chain-secret-of-the-tests";
export const acmeSecret = "the-secret-of-acme-in-tests";
export const globexSecret = "the-secret-of-globex-in-tests";

/** Two customers, so that every test has a stranger: acme.example and globex.example. */
export interface GatewaySettings {
  readonly upstreamUrls: readonly string[];
  /** Default ws://127.0.0.1:0. */
  readonly listen?: string;
  readonly trunk?: string;
  /** YAML lines of acme, indented by four spaces. */
  readonly acme?: string;
  /** The same of globex. */
  readonly globex?: string;
  /** YAML lines put at the end of the gateway section, indented by two spaces. */
  readonly gateway?: string;
  /** YAML put at the end of the admin map, with a comma before it. */
  readonly admin?: string;
  readonly proxyProtocol?: "v1" | "v2" | "off";
  readonly chainSecret?: string;
  readonly acmeSecret?: string;
  /** Default k1, and k2 with another acmeSecret. */
  readonly acmeSecretId?: string;
  readonly clock?: Clock;
  readonly pages?: NonNullable<StartOptions["pages"]>;
  /** YAML lines put at the end of the file. */
  readonly more?: string;
}

export interface TestGateway extends Running {
  /** Where its certificate lies, if it has one. */
  readonly folder: string;
  /** Reload with other settings; what is not given is as it was. Returns what needs a restart. */
  change(settings: Partial<GatewaySettings>): string[];
  /** Puts another certificate and key where the first ones lie. */
  renewCertificate(): void;
  /** Log lines so far, parsed. */
  log(): Record<string, unknown>[];
  /** The number of a counter or gauge as /metrics says it: of one series, or without labels the sum of all. */
  metric(line: string): Promise<number>;
}

export async function startGateway(settings: GatewaySettings): Promise<TestGateway> {
  const folder = new ConfigFolder();
  if (settings.listen?.startsWith("wss:")) folder.certificate("gateway");
  const config = folder.config(yaml(settings));
  const lines: string[] = [];
  const destination = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(...chunk.toString().split("\n").filter(Boolean));
      done();
    },
  });
  const log = createLog({ level: "debug", destination });
  const { clock, pages } = settings;
  const running = await start(config, { log, ...(clock && { clock }), ...(pages && { pages }) });
  return {
    ...running,
    folder: folder.path,
    renewCertificate: () => folder.certificate("gateway"),
    change: (changed) => running.reload(folder.config(yaml({ ...settings, ...changed }))),
    log: () => lines.map((line) => JSON.parse(line) as Record<string, unknown>),
    metric: async (line) => {
      const text = await (await fetch(`${running.adminUrl}/metrics`)).text();
      const mine = text.split("\n").filter((one) => one.startsWith(`${line} `) || one.startsWith(`${line}{`));
      return mine.reduce((sum, one) => sum + Number(one.slice(one.lastIndexOf(" ") + 1)), 0);
    },
    close: async () => {
      await running.close();
      folder.remove();
    },
  };
}

const yaml = (settings: GatewaySettings): string => `\
gateway:
  listen: "${settings.listen ?? "ws://127.0.0.1:0"}"
  domains: [voxout.postern.example]
${settings.listen?.startsWith("wss:") ? "  tls: { cert: gateway-cert.pem, key: gateway-key.pem }\n" : ""}${settings.gateway ?? ""}
upstream:
  urls: ${JSON.stringify(settings.upstreamUrls)}
  proxyProtocol: ${settings.proxyProtocol ?? "v1"}
chain: { secret: ${settings.chainSecret ?? chainSecret} }
admin: { listen: "http://127.0.0.1:0"${settings.admin ?? ""} }
customers:
  - id: acme
    domains: [acme.example]
    secrets: [{ id: ${settings.acmeSecretId ?? (settings.acmeSecret ? "k2" : "k1")}, secret: ${settings.acmeSecret ?? acmeSecret} }]
    numbers: ["+3225887*"]
    callerId: "+3225887000"
    trunk: ${settings.trunk ?? "sip:127.0.0.9:5060"}
${settings.acme ?? ""}
  - id: globex
    domains: [globex.example]
    secrets: [{ id: k1, secret: ${globexSecret} }]
    numbers: ["+4930*"]
    trunk: sip:127.0.0.8:5060
${settings.globex ?? ""}
${settings.more ?? ""}
`;
