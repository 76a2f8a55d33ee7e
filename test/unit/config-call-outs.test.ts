import { afterAll, describe, expect, it } from "vitest";
import { readUrl } from "../../src/callout/target.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const folder = new ConfigFolder();
afterAll(() => folder.remove());

/** The faults of a config where both kinds of call-out lead to this URL. */
function faultsOf(url: string, networks: readonly string[] = []): string[] {
  const keys = [{ id: "k", alg: "ES256", jwksUri: url, issuer: "a", audience: "b" }];
  const exchange = JSON.stringify({ secret: "the-exchange-secret", callbackNetworks: networks });
  const customers = JSON.stringify([{ id: "acme", keys, permissionUrl: url }]);
  const faults = folder.faults(`${least}exchange: ${exchange}\ncustomers: ${customers}\n`);
  const places = ["customers[0].keys[0].jwksUri", "customers[0].permissionUrl"];
  if (faults.length > 0) expect(faults.map(({ path }) => path).toSorted()).toEqual(places);
  return [...new Set(faults.map(({ message }) => message))];
}

const needsHttps = ["is http://: use https://, or put the host's network into exchange.callbackNetworks"];
const notPublic = ["leads to an address that is not public: put its network into exchange.callbackNetworks if meant"];

describe("where customers' URLs may lead", () => {
  it.each([
    "https://acme.example/jwks",
    "https://acme.example:8443/a?b=c",
    "https://1.1.1.1/",
    "https://[2606:4700:4700::1111]/",
    "https://localhost/",
  ])("%s: anywhere", (url) => {
    expect(faultsOf(url)).toEqual([]);
    expect(readUrl(url)).toBeDefined();
  });

  it.each([
    ["http://127.0.0.1:8080/", "127.0.0.0/8"],
    ["http://2130706433/", "127.0.0.1/32"],
    ["http://[::1]/", "::1/128"],
    ["http://[::ffff:10.0.0.1]/", "10.0.0.0/8"],
    ["http://1.1.1.1/", "1.1.1.0/24"],
  ])("%s: with %s alone", (url, network) => {
    expect(faultsOf(url, [network])).toEqual([]);
    expect(faultsOf(url)).toEqual(needsHttps);
    expect(faultsOf(url, ["192.168.0.0/16"])).toEqual(needsHttps);
  });

  it("a name by http:// only where there are networks that it could lead into", () => {
    for (const url of ["http://keys.acme.example/", "http://localhost:8080/"]) {
      expect(faultsOf(url)).toEqual(needsHttps);
      expect(faultsOf(url, ["10.0.0.0/8"])).toEqual([]);
    }
  });

  it.each([
    ["https://10.0.0.1/", "10.0.0.0/8"],
    ["https://0x7f.1/", "127.0.0.0/8"],
    ["https://169.254.169.254/", "169.254.0.0/16"],
    ["https://[fd00::1]/", "fd00::/8"],
    ["https://[64:ff9b::10.0.0.1]/", "10.0.0.0/8"],
  ])("%s: not without its network", (url, network) => {
    expect(faultsOf(url)).toEqual(notPublic);
    expect(faultsOf(url, ["192.168.0.0/16"])).toEqual(notPublic);
    expect(faultsOf(url, [network])).toEqual([]);
  });

  it.each([
    "ftp://acme.example/",
    "acme.example/jwks",
    "https:acme.example",
    "https://user@acme.example/",
    "https://user:password@acme.example/",
    "https://acme.example/#part",
    "https://acme.example\\@other.example/",
    "https://ácme.example/",
    "https://acme.example/ x",
    `https://acme.example/${"x".repeat(2048)}`,
    "https://",
  ])("%s is no URL at all", (url) => {
    expect(faultsOf(url)).toEqual([expect.stringMatching(/^is no https:\/\/ URL/)]);
    expect(readUrl(url)).toBeUndefined();
  });

  it("is told by a config without exchange too", () => {
    const text = `${least}customers: [{ id: a, permissionUrl: "http://127.0.0.1/" }]\n`;
    expect(folder.faults(text)).toMatchObject([
      { path: "customers[0].permissionUrl", line: 3, message: needsHttps[0] },
    ]);
  });
});
