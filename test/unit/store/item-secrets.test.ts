import { expect, it } from "vitest";
import { mapSecrets, withoutSecrets } from "../../../src/store/item-secrets.ts";

const item = {
  id: "acme",
  secrets: [{ id: "k1", secret: "one", algorithm: "sha1" }],
  keys: [{ id: "j1", alg: "HS256", secret: "two" }],
  apiKeys: [{ id: "a1", secret: "three" }],
  webhook: { url: "https://acme.example/calls", secret: "four" },
  trunkAuth: { username: "acme-trunk", password: "five" },
};

it("each secret of a customer is changed, bound to its place", () => {
  const places: string[][] = [];
  const changed = mapSecrets(item, (secret, list, id) => {
    places.push([secret, list, id]);
    return secret.toUpperCase();
  });
  expect(places).toEqual([
    ["one", "secrets", "k1"],
    ["two", "keys", "j1"],
    ["three", "apiKeys", "a1"],
    ["four", "webhook", ""],
    ["five", "trunkAuth", ""],
  ]);
  expect(changed).toMatchObject({ secrets: [{ secret: "ONE" }], webhook: { secret: "FOUR" } });
  expect(changed.trunkAuth).toEqual({ username: "acme-trunk", password: "FIVE" });
});

it("what is shown has none of them", () => {
  expect(withoutSecrets(item)).toEqual({
    id: "acme",
    secrets: [{ id: "k1", algorithm: "sha1" }],
    keys: [{ id: "j1", alg: "HS256" }],
    apiKeys: [{ id: "a1" }],
    webhook: { url: "https://acme.example/calls" },
    trunkAuth: { username: "acme-trunk" },
  });
});

const urls = {
  id: "acme",
  permissionUrl: "https://acme.example/may?token=five",
  keys: [
    { id: "j1", alg: "ES256", jwksUri: "https://acme.example/keys?token=six" },
    { id: "j2", alg: "ES256", jwksUri: "https://acme.example/keys" },
  ],
  webhook: { url: "https://acme.example/calls?token=seven", secret: "eight" },
};

it("a URL with a query is a secret, bound to its place; without one it stands as it is", () => {
  const places: string[][] = [];
  const changed = mapSecrets(urls, (secret, list, id) => {
    places.push([list, id]);
    return `sealed:${secret.length}`;
  });
  expect(places).toEqual([
    ["permissionUrl", ""],
    ["keys.jwksUri", "j1"],
    ["webhook.url", ""],
    ["webhook", ""],
  ]);
  expect(JSON.stringify(changed)).not.toContain("token");
  expect(changed.keys).toMatchObject([{ jwksUri: "sealed:35" }, { jwksUri: "https://acme.example/keys" }]);
  const again = mapSecrets(changed, (secret) => (secret.startsWith("sealed:") ? "https://acme.example/?x" : "other"));
  expect(again).toMatchObject({
    permissionUrl: "https://acme.example/?x",
    webhook: { url: "https://acme.example/?x" },
  });
});

it("of a URL what stands before the query is shown", () => {
  expect(withoutSecrets(urls)).toEqual({
    id: "acme",
    permissionUrl: "https://acme.example/may",
    keys: [
      { id: "j1", alg: "ES256", jwksUri: "https://acme.example/keys" },
      { id: "j2", alg: "ES256", jwksUri: "https://acme.example/keys" },
    ],
    webhook: { url: "https://acme.example/calls" },
  });
});
