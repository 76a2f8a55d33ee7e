import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { CallRecord } from "../../src/core/calls.ts";
import { startPostern } from "../helpers/cli.ts";
import { ConfigFolder } from "../helpers/config-file.ts";
import { answered, establish, exchange } from "../helpers/dialog.ts";
import { acmeSecret, chainSecret } from "../helpers/gateway.ts";
import { startKamailio } from "../helpers/kamailio.ts";
import { freePort } from "../helpers/ports.ts";
import { code, credential, RawClient, status } from "../helpers/raw-client.ts";
import { untilFiled, untilStored } from "../helpers/records.ts";
import { User } from "../helpers/scene.ts";
import { served } from "../helpers/served.ts";

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const yaml = (port: number, upstream: string): string => `\
gateway: { listen: "ws://127.0.0.1:${port}" }
upstream: { urls: ["${upstream}"] }
chain: { secret: ${chainSecret} }
admin: { listen: "http://127.0.0.1:0" }
store: sqlite:./postern.db
records: { file: calls.jsonl }
customers:
  - { id: acme, domains: [acme.example], secrets: [{ id: k1, secret: ${acmeSecret} }] }
`;

async function userAt(url: string, name: string): Promise<User> {
  const client = await RawClient.connect(url);
  closing.push(() => client.close());
  return new User(client, `${name}@acme.example`, credential(`${name}@acme.example`));
}

const register = async (user: User): Promise<number> => status(await user.client.register(user.address, user.given));

describe("a gateway that is killed with a call up", () => {
  it("comes back as docs/operating.md says: clients are served again, the call is unknown, its record ends", async () => {
    const kamailio = await startKamailio({ chainSecret, report: false });
    closing.push(() => kamailio.stop());
    const folder = new ConfigFolder();
    closing.push(() => folder.remove());
    const file = folder.write("postern.yaml", yaml(await freePort(), kamailio.wsUrl));
    const first = await served(startPostern(["serve", "-c", file]));
    const [alice, bob] = [await userAt(first.gatewayUrl, "alice"), await userAt(first.gatewayUrl, "bob")];
    expect([await register(alice), await register(bob)]).toEqual([200, 200]);
    const call = await establish(alice, bob);
    const ofCall = { callId: call.callId };
    const isAnswered = (all: readonly CallRecord[]): boolean =>
      all.length === 2 && all.every(({ answer }) => answer !== undefined);
    await untilStored(folder.path, ofCall, isAnswered);

    const killed = Date.now();
    first.signal("SIGKILL");
    expect(await first.ended).toEqual({ exit: null, signal: "SIGKILL" });
    expect((await alice.client.closed).code).toBe(1006);

    const second = await served(startPostern(["serve", "-c", file]));
    closing.push(async () => {
      second.signal("SIGINT");
      await second.ended;
    });
    const [again, other] = [await userAt(second.gatewayUrl, "alice"), await userAt(second.gatewayUrl, "bob")];
    expect([await register(again), await register(other)]).toEqual([200, 200]);
    const lost = await exchange(again, call.fromCaller("BYE"));
    expect([status(lost), code(lost)]).toEqual([481, "dialog-unknown"]);

    const fresh = await establish(again, other);
    const bye = exchange(again, fresh.fromCaller("BYE"));
    await answered(other, fresh.callId, "BYE");
    expect(status(await bye)).toBe(200);

    const isOver = (all: readonly CallRecord[]): boolean =>
      isAnswered(all) && all.every(({ end }) => end !== undefined);
    for (const record of await untilStored(folder.path, ofCall, isOver, 40_000)) {
      const { end = 0, answer = 0, seconds } = record;
      expect(record).toMatchObject({ endedBy: "gateway", reason: "gateway-lost", status: 200 });
      expect([answer <= end, seconds]).toEqual([true, (end - answer) / 1000]);
      expect(end).toBeLessThanOrEqual(killed);
    }
    const filed = await untilFiled(join(folder.path, "calls.jsonl"), (all) => all.length >= 4);
    const ended = filed.filter(({ callId }) => callId === call.callId);
    expect(ended.map(({ reason }) => reason)).toEqual(["gateway-lost", "gateway-lost"]);
    // Ten seconds of it are those after which a silent gateway is no more.
  }, 60_000);
});
