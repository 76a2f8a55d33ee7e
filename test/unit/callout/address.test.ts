import { describe, expect, it } from "vitest";
import { isPublic, networksOf } from "../../../src/callout/address.ts";

describe("a public address", () => {
  it.each([
    "1.1.1.1",
    "9.255.255.255",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.1",
    "172.15.255.255",
    "172.32.0.0",
    "192.169.0.0",
    "223.255.255.255",
    "2606:4700:4700::1111",
    "2a00::1",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
  ])("%s", (address) => expect(isPublic(address)).toBe(true));

  it.each([
    ["this network", "0.0.0.0"],
    ["this network", "0.1.2.3"],
    ["private", "10.0.0.1"],
    ["private", "172.16.0.1"],
    ["private", "172.31.255.255"],
    ["private", "192.168.1.1"],
    ["carrier-grade NAT", "100.64.0.1"],
    ["carrier-grade NAT", "100.127.255.255"],
    ["loopback", "127.0.0.1"],
    ["loopback", "127.255.255.254"],
    ["link-local", "169.254.169.254"],
    ["protocol assignments", "192.0.0.8"],
    ["documentation", "192.0.2.1"],
    ["documentation", "198.51.100.1"],
    ["documentation", "203.0.113.1"],
    ["6to4 relay", "192.88.99.1"],
    ["benchmarks", "198.18.0.1"],
    ["benchmarks", "198.19.255.255"],
    ["multicast", "224.0.0.1"],
    ["multicast", "239.255.255.255"],
    ["reserved", "240.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["unspecified", "::"],
    ["loopback", "::1"],
    ["loopback, written in full", "0:0:0:0:0:0:0:1"],
    ["IPv4-compatible", "::127.0.0.1"],
    ["IPv4-compatible", "::1.1.1.1"],
    ["IPv4-mapped loopback", "::ffff:127.0.0.1"],
    ["IPv4-mapped loopback in hex", "::ffff:7f00:1"],
    ["IPv4-mapped metadata", "::ffff:a9fe:a9fe"],
    ["IPv4-translated", "::ffff:0:127.0.0.1"],
    ["NAT64 loopback", "64:ff9b::7f00:1"],
    ["NAT64 metadata", "64:ff9b::169.254.169.254"],
    ["NAT64 of a network's own", "64:ff9b:1::1.1.1.1"],
    ["discard", "100::1"],
    ["Teredo", "2001::1"],
    ["Teredo of a loopback client", "2001:0:4136:e378:8000:63bf:80ff:fffe"],
    ["benchmarks", "2001:2::1"],
    ["ORCHID", "2001:20::1"],
    ["documentation", "2001:db8::1"],
    ["documentation", "3fff::1"],
    ["6to4 of loopback", "2002:7f00:1::"],
    ["6to4 of a public address", "2002:101:101::1"],
    ["segment routing", "5f00::1"],
    ["not assigned", "4000::1"],
    ["unique local", "fc00::1"],
    ["unique local, metadata", "fd00:ec2::254"],
    ["link-local", "fe80::1"],
    ["link-local with a zone", "fe80::1%eth0"],
    ["public with a zone", "2a00::1%eth0"],
    ["site-local", "fec0::1"],
    ["multicast", "ff02::1"],
    ["no address", ""],
    ["no address", "acme.example"],
    ["one number", "2130706433"],
    ["hex", "0x7f.1"],
    ["two parts", "1.1"],
    ["leading zeros", "01.01.01.01"],
    ["a network", "1.1.1.0/24"],
  ])("is none of %s: %s", (_kind, address) => expect(isPublic(address)).toBe(false));
});

describe("the operator's networks", () => {
  const allowed = networksOf(["10.0.0.0/8", "127.0.0.2/32", "fd00::/8"]);

  it.each(["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "127.0.0.2", "fd12::1"])(
    "hold %s",
    (address) => expect(allowed(address)).toBe(true),
  );

  it.each(["11.0.0.0", "127.0.0.1", "::ffff:127.0.0.1", "fc00::1", "::a00:1", "2002:a00:1::", "fd12::1%1", "", "10.1"])(
    "do not hold %s",
    (address) => expect(allowed(address)).toBe(false),
  );

  it("hold nothing where there are none", () => expect(networksOf([])("1.1.1.1")).toBe(false));
});
