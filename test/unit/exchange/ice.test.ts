import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { iceServers } from "../../../src/exchange/ice.ts";

const turn = (urls: string[]) => ({ urls, secret: "the-turn-secret-of-the-tests", ttl: 600 });

describe("iceServers", () => {
  it("are none where turn is not configured", () => {
    expect(iceServers(undefined, "alice@acme.example", 1000)).toEqual([]);
    expect(iceServers(turn([]), "alice@acme.example", 1000)).toEqual([]);
  });

  it("give STUN without and TURN with a credential by coturn's construction", () => {
    const urls = ["stun:t.example:3478", "turn:t.example:3478?transport=udp", "stuns:t.example", "turns:t.example:443"];
    const username = "1600:alice@acme.example";
    const credential = createHmac("sha1", "the-turn-secret-of-the-tests").update(username).digest("base64");
    expect(iceServers(turn(urls), "alice@acme.example", 1000)).toEqual([
      { urls: ["stun:t.example:3478", "stuns:t.example"] },
      { urls: ["turn:t.example:3478?transport=udp", "turns:t.example:443"], username, credential },
    ]);
  });

  it("give no credential where there is nothing but STUN", () => {
    expect(iceServers(turn(["stun:t.example"]), "a@b.example", 1)).toEqual([{ urls: ["stun:t.example"] }]);
  });
});
