import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { afterEach, describe, expect, it } from "vitest";
import { checkMedia } from "../../../src/doctor/media.ts";
import { thisSystem } from "../../../src/doctor/system.ts";
import { customer } from "../../helpers/customers.ts";
import { freePort } from "../../helpers/ports.ts";

const sockets: Socket[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.close();
});

/** Says pong to a ping of the ng protocol; where it lies, with another cookie. Its RTPENGINE. */
async function relay(lies = false): Promise<string> {
  const socket = createSocket("udp4");
  sockets.push(socket);
  socket.on("message", (text, { port, address }) => {
    const [, cookie] = /^(\S+) d7:command4:pinge$/.exec(text.toString()) ?? [];
    if (cookie) socket.send(`${lies ? "other" : cookie} d6:result4:ponge`, port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return `udp:127.0.0.1:${socket.address().port}`;
}

const withTrunk = [customer({ trunk: "sip:pbx.acme.example:5060" })];

const looked = (text: string | undefined, where = withTrunk) =>
  checkMedia({ customers: where }, ["local.cfg"], { ...thisSystem, readText: () => text });

describe("the doctor's look at rtpengine", () => {
  it("asks each that local.cfg names", async () => {
    const [well, lying, gone] = [await relay(), await relay(true), `udp:127.0.0.1:${await freePort()}`];
    const findings = await looked(`#!define RTPENGINE "${well}=1 ${lying} ${gone} nonsense"\n`);
    expect(findings).toMatchObject([
      { check: `media ${well}`, state: "ok" },
      { check: `media ${lying}`, state: "fail", found: expect.stringContaining("does not answer a ping") },
      { check: `media ${gone}`, state: "fail", advice: expect.stringContaining("start rtpengine") },
      { check: "media nonsense", state: "fail", found: "is no address of rtpengine's" },
    ]);
  });

  it("misses one where calls go to a trunk, and nowhere else", async () => {
    const commented = '##!define RTPENGINE "udp:127.0.0.1:22222"\n';
    expect(await looked(commented)).toMatchObject([{ state: "warn", advice: expect.stringContaining("RTPENGINE") }]);
    expect(await looked(commented, [customer({})])).toEqual([]);
    expect(await looked(undefined)).toEqual([]);
  });
});
