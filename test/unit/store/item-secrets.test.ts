import { expect, it } from "vitest";
import { mapSecrets, withoutSecrets } from "../../../src/store/item-secrets.ts";

const item = {
  id: "acme",
  secrets: [{ id: "k1", secret: "one", algorithm: "sha1" }],
  keys: [{ id: "j1", alg: "HS256", secret: "two" }],
  apiKeys: [{ id: "a1", secret: "three" }],
  webhook: { url: "https://acme.example/calls", secret: "four" },
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
  ]);
  expect(changed).toMatchObject({ secrets: [{ secret: "ONE" }], webhook: { secret: "FOUR" } });
});

it("what is shown has none of them", () => {
  expect(withoutSecrets(item)).toEqual({
    id: "acme",
    secrets: [{ id: "k1", algorithm: "sha1" }],
    keys: [{ id: "j1", alg: "HS256" }],
    apiKeys: [{ id: "a1" }],
    webhook: { url: "https://acme.example/calls" },
  });
});
