import { describe, expect, it } from "vitest";
import { label, mask, renderLadder } from "../../../src/client/ladder.ts";

const message = (...lines: string[]): string => [...lines, "", ""].join("\r\n");

describe("a label", () => {
  it("is method and target of a request", () => {
    expect(label(message("INVITE sip:bob@acme.example SIP/2.0", "CSeq: 1 INVITE"))).toBe("INVITE sip:bob@acme.example");
  });

  it("is status, method and Postern's code of a response", () => {
    const refused = message("SIP/2.0 403 Forbidden", "CSeq: 2 INVITE", "Postern-Code: credential-expired");
    expect(label(refused)).toBe("403 Forbidden (INVITE) credential-expired");
  });
});

describe("masking", () => {
  it.each([
    "Authorization: Digest response=SECRET",
    "proxy-authorization : Bearer SECRET",
    "Authorization: Digest\r\n username=1,\r\n\tresponse=SECRET",
  ])("takes the proof out of %j and leaves the rest", (line) => {
    const masked = mask(message("REGISTER sip:acme.example SIP/2.0", line, "CSeq: 1 REGISTER"));
    expect(masked).not.toContain("SECRET");
    expect(masked).toContain("***\r\nCSeq: 1 REGISTER\r\n");
  });

  it("takes out every one of several", () => {
    expect(mask(message("A", "Authorization: SECRET", "Authorization: SECRET"))).not.toContain("SECRET");
  });
});

describe("a ladder", () => {
  it("has the names on top and one arrow a message, in order of time", () => {
    const entries = [
      { at: 1_200, from: "postern", to: "alice", message: message("SIP/2.0 200 OK", "CSeq: 1 REGISTER") },
      { at: 1_000, from: "alice", to: "postern", message: message("REGISTER sip:acme.example SIP/2.0") },
      { at: 1_300, from: "postern", to: "bob", message: message("INVITE sip:bob@acme.example SIP/2.0") },
    ];
    expect(renderLadder(entries, ["alice", "postern", "bob"]).split("\n")).toEqual([
      "          alice                           postern                              bob",
      "   0.000    |-- REGISTER sip:acme.example -->|                                  |",
      "   0.200    |<----- 200 OK (REGISTER) -------|                                  |",
      "   0.300    |                                |-- INVITE sip:bob@acme.example -->|",
    ]);
  });
  it("shows no control character of the far end to a terminal", () => {
    const entry = { at: 0, from: "postern", to: "alice", message: message("INVITE sip:\x1b[31m\x07\u202ebob SIP/2.0") };
    expect(renderLadder([entry])).toContain("INVITE sip:?[31m??bob");
  });
});
