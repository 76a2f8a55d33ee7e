import { describe, expect, it } from "vitest";
import { SealKeys } from "../../../src/store/seal.ts";
import { openAsFar, recordOf, sealItem } from "../../../src/store/sealed-item.ts";

const keys = new SealKeys(["the-key-of-these-tests"]);
const who = { id: "acme", revision: 1 };
const kept = (item: string) => ({ ...who, item, since: null });
const acme = { id: "acme", secrets: [{ id: "k1", secret: "the-secret-of-acme-01" }] };

describe("a stored item", () => {
  it.each(["{nope", "", "null", "[]", "7", '"acme"', '{"id":"acme"'])("that is none is unreadable: %s", (text) => {
    const record = recordOf(keys, kept(text));
    expect(record).toMatchObject({ kind: "unreadable", ...who });
    expect(record).toHaveProperty("sentence", expect.not.stringContaining("JSON"));
    expect(openAsFar(keys, "acme", text)).toEqual({});
  });

  it("twin: is read as it was sealed", () => {
    expect(recordOf(keys, kept(sealItem(keys, "acme", acme)))).toEqual({ kind: "stored", ...who, item: acme });
  });

  it("whose secrets are exchanged, in the clear, or another customer's is unreadable", () => {
    const two = { ...acme, secrets: [...acme.secrets, { id: "k2", secret: "the-secret-of-acme-02" }] };
    const sealed = JSON.parse(sealItem(keys, "acme", two)) as typeof two;
    const [one, other] = sealed.secrets;
    const swapped = { ...sealed, secrets: [{ ...one, secret: other?.secret }, other] };
    for (const item of [swapped, acme]) expect(recordOf(keys, kept(JSON.stringify(item))).kind).toBe("unreadable");
    expect(recordOf(keys, { ...kept(JSON.stringify(sealed)), id: "globex" }).kind).toBe("unreadable");
    expect(recordOf(keys, kept(JSON.stringify(sealed))).kind).toBe("stored");
  });
});
