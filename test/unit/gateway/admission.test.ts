import { describe, expect, it } from "vitest";
import { Admission, type Guest, plainAddress } from "../../../src/gateway/admission.ts";

const guest = (silent: boolean, closed: string[] = [], name = ""): Guest => ({
  silent,
  makeRoom: () => void closed.push(name),
});

describe("Admission", () => {
  it("admits up to the limit of each address, and again where one has left", () => {
    const admission = new Admission();
    const first = guest(false);
    expect(admission.admits("192.0.2.1", 2)).toBe(true);
    admission.enter("192.0.2.1", first);
    expect(admission.admits("192.0.2.1", 2)).toBe(true);
    admission.enter("192.0.2.1", guest(false));
    expect(admission.admits("192.0.2.1", 2)).toBe(false);
    expect(admission.admits("192.0.2.2", 2)).toBe(true);
    expect(admission.admits("192.0.2.1", 0)).toBe(true);
    admission.leave("192.0.2.1", first);
    expect(admission.admits("192.0.2.1", 2)).toBe(true);
  });

  it("closes the oldest silent connection of a full address, and none of another", () => {
    const admission = new Admission();
    const closed: string[] = [];
    admission.enter("192.0.2.2", guest(true, closed, "other"));
    admission.enter("192.0.2.1", guest(false, closed, "talks"));
    admission.enter("192.0.2.1", guest(true, closed, "older"));
    admission.enter("192.0.2.1", guest(true, closed, "newer"));
    expect(admission.admits("192.0.2.1", 3)).toBe(true);
    expect(closed).toEqual(["older"]);
    admission.enter("192.0.2.1", guest(false));
    expect(admission.admits("192.0.2.1", 3)).toBe(true);
    admission.enter("192.0.2.1", guest(false));
    expect(closed).toEqual(["older", "newer"]);
    expect(admission.admits("192.0.2.1", 3)).toBe(false);
  });

  it("counts a connection once, though it leaves after it made room", () => {
    const admission = new Admission();
    const silent = guest(true);
    admission.enter("192.0.2.1", silent);
    admission.admits("192.0.2.1", 1);
    admission.enter("192.0.2.1", guest(false));
    admission.leave("192.0.2.1", silent);
    admission.leave("192.0.2.9", silent);
    expect(admission.admits("192.0.2.1", 1)).toBe(false);
  });

  it("counts a /64 of IPv6 as one address", () => {
    const admission = new Admission();
    admission.enter("2001:db8:0:1::1", guest(false));
    expect(admission.admits("2001:db8:0:1:ffff:ffff:ffff:ffff", 1)).toBe(false);
    expect(admission.admits("2001:db8:0:2::1", 1)).toBe(true);
  });
});

describe("plainAddress", () => {
  it.each([
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:192.0.2.1", "192.0.2.1"],
    ["fe80::1%eth0", "fe80::1"],
    ["2001:db8::ffff:1", "2001:db8::ffff:1"],
    ["192.0.2.1", "192.0.2.1"],
  ])("of %s is %s", (address, plain) => expect(plainAddress(address)).toBe(plain));
});
