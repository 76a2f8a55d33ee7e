import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readPostgresUrl, storeName, storeTls } from "../../src/config/store-url.ts";
import { ConfigFolder, least } from "../helpers/config-file.ts";

const target = (url: string): object => {
  const read = readPostgresUrl(url);
  return read.kind === "target" ? read.target : { fault: read.sentence };
};

const server = { host: "db.example", port: 5432, user: "postern", database: "calls", tls: "verified" };

describe("the URL of a PostgreSQL store", () => {
  it.each([
    ["postgres://postern@db.example/calls", server],
    ["postgresql://postern@db.example:6432/calls", { ...server, port: 6432 }],
    ["postgres://postern:s3cret%40%2F%3A%25@db.example/calls", { ...server, password: "s3cret@/:%" }],
    ["postgres://postern@db.example/calls?sslmode=disable", { ...server, tls: "off" }],
    ["postgres://postern@db.example/calls?sslmode=require", { ...server, tls: "encrypted" }],
    ["postgres://postern@db.example/calls?sslmode=verify-full", server],
    ["postgres://postern@db.example/calls?sslrootcert=/etc/ca.pem", { ...server, authorities: "/etc/ca.pem" }],
    ["postgres://postern@[2001:db8::7]/calls", { ...server, host: "2001:db8::7" }],
    ["postgres://postern@localhost/calls", { ...server, host: "localhost", tls: "off" }],
    ["postgres://postern@127.0.0.1/calls", { ...server, host: "127.0.0.1", tls: "off" }],
    ["postgres://postern@[::1]/calls", { ...server, host: "::1", tls: "off" }],
    ["postgres://postern@127.0.0.1/calls?sslmode=verify-full", { ...server, host: "127.0.0.1" }],
    ["postgres://postern@127.evil.example/calls", { ...server, host: "127.evil.example" }],
    ["postgres://postern@localhost/calls?host=/run/postgresql", { ...server, host: "/run/postgresql", tls: "off" }],
    [
      "postgres://postern@localhost:5433/calls?host=/run/postgresql",
      { ...server, host: "/run/postgresql", port: 5433, tls: "off" },
    ],
  ])("%s", (url, meant) => {
    const { name, ...read } = target(url) as { name: string };
    expect(read).toEqual(meant);
    expect(name).not.toMatch(/s3cret|\?/);
  });

  it.each([
    ["postgres://db.example/calls", "names no user"],
    ["postgres://postern@db.example", "names no database"],
    ["postgres://postern@db.example/a/b", "names no database"],
    ["postgres://postern@one.example,two.example/calls", "names no host"],
    ["postgres://postern@/calls", "is no URL"],
    ["postgres://postern@db.example/calls?host=/run/postgresql", "names no host"],
    ["postgres://postern@localhost/calls?host=run", "names no host"],
    ["postgres://postern:a%zz@db.example/calls", "a % that begins no character"],
    ["postgres://postern:a@b:c/d@db.example/calls", "is no URL"],
    ["postgres://postern:a#b@db.example/calls", "is no URL"],
    ["postgres://postern@db.example/calls?sslmode=prefer", "an sslmode that cannot be relied on"],
    ["postgres://postern@db.example/calls?sslmode=allow", "an sslmode that cannot be relied on"],
    ["postgres://postern@db.example/calls?sslmode=constructor", "an sslmode that cannot be relied on"],
    ["postgres://postern@db.example/calls?sslmode=disable&sslmode=verify-full", "a parameter twice"],
    ["postgres://postern@db.example/calls?sslmode=disable&sslrootcert=/ca.pem", "sslrootcert without"],
    ["postgres://postern@db.example/calls?sslrootcert=ca.pem", "no absolute path"],
    ["postgres://postern@db.example/calls?options=-csearch_path=evil", "a parameter that is not known"],
  ])("%s: %s", (url, sentence) => {
    expect(target(url)).toEqual({ fault: expect.stringContaining(sentence) });
  });

  it("is named without its password, and not at all where it is none", () => {
    expect(storeName("postgres://postern:s3cret@db.example/calls?sslmode=require")).toBe(
      "postgres://postern@db.example:5432/calls",
    );
    expect(storeName("postgres://postern:s3cret@db.example/calls?s3cret")).toBe("postgres://…");
    expect(storeName("sqlite:/var/lib/postern/postern.db")).toBe("sqlite:/var/lib/postern/postern.db");
  });
});

describe("the way to a store", () => {
  it.each([
    ["postgres://postern@db.example/calls", undefined],
    ["postgres://postern@db.example/calls?sslmode=require", "any server is believed to be its server"],
    ["postgres://postern@db.example/calls?sslmode=disable", "its server is reached in the clear"],
    ["postgres://postern@127.0.0.1/calls", undefined],
    ["sqlite:./x.db", undefined],
  ])("%s: %s", (url, told) => {
    expect(storeTls(url)).toBe(told);
  });
});

describe("a config with one", () => {
  let folder: ConfigFolder;
  beforeEach(() => {
    folder = new ConfigFolder();
  });
  afterEach(() => folder.remove());

  it("needs storeKey, for no key can be made beside it", () => {
    const store = "store: postgres://postern:s3cret@db.example/calls\n";
    expect(folder.faults(least + store)).toEqual([
      { path: "storeKey", line: 1, message: expect.stringContaining("is required with postgres://") },
    ]);
    expect(folder.faults(`${least}${store}storeKey: the-key-of-this-store\n`)).toEqual([]);
    expect(folder.faults(`${least}store: sqlite:./x.db\n`)).toEqual([]);
  });

  it("has its faults told at its line, without a word of it", () => {
    const faults = folder.faults(
      `${least}storeKey: the-key-of-this-store\nstore: postgres://postern:s3cret@db.example\n`,
    );
    expect(faults).toEqual([{ path: "store", line: 4, message: expect.stringContaining("names no database") }]);
    expect(JSON.stringify(faults)).not.toMatch(/s3cret|db\.example/);
  });
});
