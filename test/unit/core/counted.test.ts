import { describe, expect, it } from "vitest";
import { addressKey, customerName, domainName } from "../../../src/core/counted.ts";

describe("addressKey", () => {
  it.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
    ["2001:DB8:1:2::6", "2001:db8:1:2::/64"],
    ["2001:0db8:0001:0002::", "2001:db8:1:2::/64"],
    ["2001:db8::6", "2001:db8:0:0::/64"],
    ["2001:db8::1:2:3:4:5", "2001:db8:0:1::/64"],
    ["fe80::1%eth0", "fe80:0:0:0::/64"],
    ["::1", "0:0:0:0::/64"],
    ["::", "0:0:0:0::/64"],
    ["1::", "1:0:0:0::/64"],
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::FFFF:c000:201", "192.0.2.1"],
    ["::ffff:0:192.0.2.1", "0:0:0:0::/64"],
    ["", ""],
    ["no:address", "no:address"],
  ])("of %s is %s", (address, key) => expect(addressKey(address)).toBe(key));
});

describe("a name that is counted under", () => {
  it("is the claim, of its kind", () => {
    expect(customerName("acme-1")).toBe("customer acme-1");
    expect(domainName("Acme.Example")).toBe("domain acme.example");
  });

  it.each(["", "(management)", "handshake me", "a/b", "ACME", "x".repeat(65), "a\0", "a\n", "-a"])(
    "is none where nobody's id could be so: %j",
    (id) => expect(customerName(id)).toBe("unnamed"),
  );

  it.each(["", "(handshake)", "a b", "[::1]", "x".repeat(254), "a@b", "a\n"])(
    "is none where nobody's domain could be so: %j",
    (domain) => expect(domainName(domain)).toBe("unnamed"),
  );
});
