import { rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { decodeAnswer, encodeCall } from "../../../src/kamailio/binrpc.ts";
import { setChainSecrets } from "../../../src/kamailio/rpc.ts";
import { temporaryDir } from "../../helpers/temporary.ts";

const cookie = 0x01020304;
const reply = (type: number, body: number[], back = [1, 2, 3, 4]): Buffer =>
  Buffer.from([0xa1, (type << 4) | 3, body.length, ...back, ...body]);

describe("binrpc, as modules/ctl/binrpc.h has it", () => {
  it("writes a call as a header and texts that end with NUL", () => {
    const texts = "c100000004612e6200" + "c100000003c3a900";
    expect(encodeCall("a.b", ["é"], cookie).toString("hex")).toBe(`a10f0000001101020304${texts}`);
  });

  it.each([
    ["an answer", reply(1, []), { kind: "answered" }],
    ["an answer with texts", reply(1, [0x31, 0x4f, 0x6b, 0]), { kind: "answered" }],
    ["a fault", reply(3, [0x20, 0x01, 0xf4, 0x21, 0x78, 0]), { kind: "fault", code: 500 }],
    ["a fault without a number", reply(3, []), { kind: "fault", code: 0 }],
    ["half of it", reply(1, [0x31, 0x4f]).subarray(0, 8), { kind: "short" }],
    ["nothing yet", Buffer.alloc(0), { kind: "short" }],
    ["another's", reply(1, [], [4, 3, 2, 1]), { kind: "unreadable" }],
    ["what is none", Buffer.from("HTTP/1.1 200 OK"), { kind: "unreadable" }],
    ["a call", reply(0, []), { kind: "unreadable" }],
    ["more than anybody says", Buffer.from([0xa1, 0x1f, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]), { kind: "unreadable" }],
  ])("reads %s", (_, bytes, answer) => expect(decodeAnswer(bytes, cookie)).toEqual(answer));
});

describe("a call to Kamailio", () => {
  const dir = temporaryDir("rpc");
  const path = join(dir, "socket");
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
    server = undefined;
  });

  const listen = (answer: (call: Buffer, socket: Socket) => void): Promise<void> =>
    new Promise((resolve) => {
      server = createServer((socket) => socket.on("data", (call: Buffer) => answer(call, socket)));
      server.listen(path, resolve);
    });
  const back = (call: Buffer): number[] => [...call.subarray(6, 10)];

  it("has its answer, in however many pieces it comes", async () => {
    let asked = "";
    await listen((call, socket) => {
      asked = call.toString();
      const answer = reply(1, [0x31, 0x4f, 0x6b, 0], back(call));
      socket.write(answer.subarray(0, 5), () => socket.write(answer.subarray(5)));
    });
    expect(await setChainSecrets(path, ["new", "old"])).toEqual({ kind: "done" });
    expect(asked).toContain("new\nold\0");
  });

  it("is refused by Kamailio's code", async () => {
    await listen((call, socket) => void socket.write(reply(3, [0x20, 0x01, 0xf4], back(call))));
    expect(await setChainSecrets(path, ["new"])).toEqual({ kind: "refused", code: 500 });
  });

  it("is told who is not there, and who hangs up", async () => {
    expect(await setChainSecrets(path, ["new"])).toEqual({ kind: "unreachable", code: "ENOENT" });
    await listen((_, socket) => void socket.end());
    expect(await setChainSecrets(path, ["new"])).toEqual({ kind: "unreachable", code: "ECONNRESET" });
    rmSync(dir, { recursive: true });
  });
});
