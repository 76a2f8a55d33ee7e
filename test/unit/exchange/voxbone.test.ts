import { describe, expect, it } from "vitest";
import { IssuedAuthenticator } from "../../../src/auth/issued.ts";
import { Customers } from "../../../src/core/customers.ts";
import { refuse } from "../../../src/core/errors.ts";
import {
  createToken,
  type PageData,
  pageRefusal,
  readTokenAsked,
  type TokenAsked,
} from "../../../src/exchange/voxbone.ts";
import { customer } from "../../helpers/customers.ts";
import { credential, exchangeContext, publicUrl, settings } from "../../helpers/exchange.ts";

const nobody = { address: "192.0.2.1", origin: undefined };
const secret = settings.exchange!;

const asked = (query: string): TokenAsked | string => {
  const read = readTokenAsked(query);
  return read.kind === "asked" ? read : read.refusal.sentence;
};

describe("what a page of Voxbone's library asks", () => {
  it("is read, in any order and with what stands against caches", () => {
    expect(asked("expires=17&key=a%2Bb%3D&username=acme&jsonp=voxbone.WebRTC.processAuthData&_=1426067127000")).toEqual(
      {
        kind: "asked",
        name: "acme",
        key: "a+b=",
        expires: "17",
        callback: "voxbone.WebRTC.processAuthData",
      },
    );
  });

  it("takes a space in key for the plus that it was", () => {
    for (const key of ["a+b=", "a%20b=", "a%2Bb="]) {
      expect(asked(`username=acme&key=${key}&expires=17`)).toMatchObject({ key: "a+b=" });
    }
    expect(asked("username=+3225887000@acme.example&key=k&expires=17")).toMatchObject({
      name: "+3225887000@acme.example",
    });
  });

  it.each([
    ["username=acme&key=k", "each once"],
    ["username=acme&expires=17", "each once"],
    ["key=k&expires=17", "each once"],
    ["username=&key=k&expires=17", "each once"],
    ["username=acme&username=globex&key=k&expires=17", "twice"],
    ["username=acme&key=k&expires=17.5", "Unix seconds"],
    ["username=acme&key=k&expires=17:bob@globex.example", "Unix seconds"],
    ["username=acme&key=k&expires=17&jsonp=alert(1)", "function"],
    ["username=acme&key=k&expires=17&jsonp=a&jsonp=b", "twice"],
    ["username=acme&key=%zz&expires=17", "cannot be read"],
  ])("is refused: %s", (query, why) => {
    expect(asked(query)).toContain(why);
  });

  it("has its callback told what is wrong, only where it is a function's name", () => {
    expect(readTokenAsked("jsonp=a.b")).toMatchObject({ kind: "refused", callback: "a.b" });
    expect(readTokenAsked("jsonp=alert(1)")).not.toHaveProperty("callback");
    expect(readTokenAsked("jsonp=a&jsonp=b")).not.toHaveProperty("callback");
  });
});

describe("a token of Voxbone's form", () => {
  async function create(name: string, of = customer(), settings = {}) {
    const context = exchangeContext({ customers: [of], settings });
    const { username, password } = credential(context.clock, name);
    const expires = username.slice(0, username.indexOf(":"));
    const outcome = await createToken({ kind: "asked", name, key: password, expires }, nobody, secret, context);
    if (outcome.kind === "refused") throw new Error(outcome.refusal.sentence);
    const customers = new Customers([of]);
    const { clock, keys } = context;
    const issued = new IssuedAuthenticator({ customers: () => customers, clock, keys, exchange: () => secret });
    return { data: outcome.answer, proof: issued.prove({ kind: "password", ...outcome.answer }) };
  }

  it("for a customer is of one user, who may do all but REGISTER", async () => {
    const { data, proof } = await create("acme", customer({ methods: ["REGISTER", "INVITE", "OPTIONS"] }));
    expect(data.username).toMatch(/^\d+:acme@acme\.example;/);
    const narrowing = { methods: ["INVITE", "OPTIONS"] };
    expect(proof).toMatchObject({ kind: "proved", identity: { user: "acme", domain: "acme.example", narrowing } });
  });

  it("for a user is that user's, REGISTER too", async () => {
    const { proof } = await create("alice@acme.example");
    expect(proof).toMatchObject({ kind: "proved", identity: { user: "alice", narrowing: {} } });
  });

  it("has every field that a generation of the library reads", async () => {
    const turn = { urls: ["stun:s.example", "turn:t.example", "turns:t.example"], secret: "x".repeat(20), ttl: 60 };
    const { data } = await create("acme", customer(), { turn });
    const [stamp = ""] = data.username.split(":");
    expect(Number(stamp)).toBe(1_700_000_000 + data.ttl);
    expect(data).toMatchObject({ ws: publicUrl, wss: publicUrl, ttl: 200, pingServers: {}, log: [] });
    expect(data.stunServers).toEqual([{ url: "stun:s.example", urls: ["stun:s.example"] }]);
    expect(data.turnServers.map(({ url, urls }) => [url, urls])).toEqual([
      ["turn:t.example", ["turn:t.example"]],
      ["turns:t.example", ["turns:t.example"]],
    ]);
    expect(data.turnServers.every(({ username, credential }) => username && credential)).toBe(true);
    expect(data.callStatsCredentials).toEqual({ appId: "", appSecret: "" });
  });

  it("is refused for another customer's key and for one that there is not, alike", async () => {
    const context = exchangeContext();
    const { username, password } = credential(context.clock, "acme");
    const expires = username.slice(0, username.indexOf(":"));
    /** But for what is counted and never told. */
    const ask = async (name: string, key: string) => {
      const outcome = await createToken({ kind: "asked", name, key, expires }, nobody, secret, context);
      return { ...outcome, claimed: undefined, user: undefined };
    };
    expect(await ask("acme", password)).toMatchObject({ kind: "granted" });
    const wrong = await ask("acme", "wrong");
    expect(wrong).toMatchObject({ refusal: { code: "credential-rejected" } });
    expect(await ask("nobody", password)).toEqual(wrong);
    expect(await ask("acme@acme.example", password)).toEqual(wrong);
  });

  it("refused still has every field, none of them good for anything", () => {
    const refusal = pageRefusal(refuse("credential-expired", "it has ended"), publicUrl);
    expect(refusal).toMatchObject({ error: "it has ended", code: "credential-expired", message: "it has ended" });
    expect(refusal).toMatchObject({
      wss: publicUrl,
      pingServers: {},
      stunServers: [],
      turnServers: [],
      password: "",
    });
    const renewIn = Number(refusal.username.split(":")[0]) - 1_700_000_000;
    expect(renewIn).toBeLessThan(0);
  });
});

describe("the page's library, in each generation that was published", () => {
  /** What it does with the data, in the order in which it does: a throw would end the page's script. */
  const generations: Readonly<Record<string, (data: PageData & { error?: string }, failed: string[]) => unknown>> = {
    "1 takes wss, then pings": ({ wss, username, password, pingServers }) => {
      if (!/^wss?:/.test(wss)) throw new TypeError("no server to connect to");
      return [username, password, Object.keys(pingServers).length];
    },
    "2 reads stamp and statistics as well": ({ username, stunServers, turnServers, callStatsCredentials, log }) => {
      const renewIn = Number(username.split(/:/)[0]) - 1_700_000_000;
      const user = username.split(":")[1]?.length;
      return [renewIn > 0, user, stunServers.length, turnServers.length, callStatsCredentials.appId, log.length];
    },
    "3 looks for an error first": (data, failed) => {
      if (data.error) failed.push(data.error);
      return data.username.split(":");
    },
  };

  it.each(Object.entries(generations))("%s: takes a grant and survives a refusal", async (name, read) => {
    const context = exchangeContext();
    const { username, password: key } = credential(context.clock, "acme");
    const expires = username.slice(0, username.indexOf(":"));
    const outcome = await createToken({ kind: "asked", name: "acme", key, expires }, nobody, secret, context);
    if (outcome.kind === "refused") throw new Error(outcome.refusal.sentence);
    const failed: string[] = [];
    expect(() => read(outcome.answer, failed)).not.toThrow();
    expect(failed).toEqual([]);
    expect(() => read(pageRefusal(refuse("credential-expired", "it has ended"), publicUrl), failed)).not.toThrow();
    expect(failed).toEqual(name.startsWith("3") ? ["it has ended"] : []);
  });
});
