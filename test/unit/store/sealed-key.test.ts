import { describe, expect, it } from "vitest";
import { makeSigningKey } from "../../../src/auth/signing-key.ts";
import { SealKeys } from "../../../src/store/seal.ts";
import { openKey, sealKey } from "../../../src/store/sealed-key.ts";

const keys = new SealKeys(["the-key-of-this-store"]);

describe("a signing key in the database", () => {
  it.each([{ kid: "another" }, { made: 2 }, { signs: 1 }])("opens as it was sealed, and not with %o", (changed) => {
    const key = makeSigningKey(3, 4);
    const row = sealKey(keys, key);
    expect(openKey(keys, row)).toEqual(key);
    expect(() => openKey(keys, { ...row, ...changed })).toThrow("has a signing key that no key opens");
  });

  it("opens under no other key of a store", () => {
    const row = sealKey(keys, makeSigningKey(1, 1));
    expect(() => openKey(new SealKeys(["the-key-of-another-store"]), row)).toThrow(/no key opens/);
  });
});
