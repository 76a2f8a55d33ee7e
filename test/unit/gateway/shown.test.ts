import { describe, expect, it } from "vitest";
import { Shown } from "../../../src/gateway/shown.ts";
import { readContacts } from "../../../src/sip/request.ts";
import { scanned, sip } from "../../helpers/sip-text.ts";

function shows(to: Shown, uri: string): void {
  to.add(readContacts(scanned(sip({ extra: [`Contact: <${uri}>`] }))) ?? []);
}

describe("the Contacts that a leg remembers", () => {
  it("are as many as 32 entries hold, two of each, the oldest forgotten first", () => {
    const one = new Shown();
    for (let at = 0; at < 16; at++) shows(one, `sip:u${at}@h${at}.invalid`);
    expect(one.has("u0", "h0.invalid")).toBe(true);
    shows(one, "sip:u16@h16.invalid");
    expect([one.has("u0", "h0.invalid"), one.hasHost("h0.invalid")]).toEqual([false, false]);
    expect(one.has("u1", "h1.invalid")).toBe(true);
    expect([one.has("u16", "h16.invalid"), one.hasHost("h16.invalid")]).toEqual([true, true]);
  });

  it("stay where they are shown again", () => {
    const one = new Shown();
    for (let at = 0; at < 100; at++) {
      shows(one, "sip:same@same.invalid");
      shows(one, `sip:u${at}@h${at}.invalid`);
    }
    expect(one.has("same", "same.invalid")).toBe(true);
  });
});
