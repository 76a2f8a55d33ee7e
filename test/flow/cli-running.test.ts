import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { posternHere, type Said } from "../helpers/cli-here.ts";
import { answered, establish } from "../helpers/dialog.ts";
import { credential, status } from "../helpers/raw-client.ts";
import { Scene } from "../helpers/scene.ts";

vi.setConfig({ testTimeout: 60_000 });

const operator = "the-secret-of-the-operator-in-tests";
let scene: Scene;

beforeAll(async () => {
  vi.stubEnv("OPERATOR", operator);
  scene = await Scene.open({
    admin: `, operators: [{ id: ops, secret: ${operator} }]`,
    more: "store: sqlite:./postern.db",
  });
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await scene?.close();
});

const asOperator = (...args: readonly string[]): Promise<Said> =>
  posternHere(...args, "--api", scene.gateway.adminUrl, "--as", "ops", "--key", "env:OPERATOR");

const data = (said: Said): Record<string, Record<string, unknown>[]> =>
  JSON.parse(said.stdout) as Record<string, Record<string, unknown>[]>;

it("what runs is told and ended on the command line, at Kamailio too, and is a record then", async () => {
  const [alice, carol] = [await scene.user("alice"), await scene.user("carol")];
  const eve = await scene.user("eve", "globex.example");
  const { callId } = await establish(alice, carol);
  const { sessions = [] } = data(await asOperator("sessions", "--customer", "acme", "--json"));
  expect(sessions.map(({ user, calls }) => [user, calls])).toEqual(
    expect.arrayContaining([
      [alice.name, 1],
      [carol.name, 1],
    ]),
  );
  const lines = (await asOperator("sessions")).stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(3);
  expect(lines.find((line) => line.includes(eve.address))).toMatch(
    /\tglobex\t.*\t127\.0\.0\.1\t-\tk1\t.*\t1 registered\t0 calls$/,
  );
  const live = data(await asOperator("calls", "--live", "--json")).calls?.find(
    ({ direction }) => direction === "to-user",
  );
  expect(live).toMatchObject({ callId, user: alice.name });
  expect(await asOperator("kick", "--call", String(live?.id), "--customer", "globex")).toMatchObject({
    exit: 1,
    stdout: "",
  });
  expect(await asOperator("kick", "--call", String(live?.id))).toMatchObject({
    exit: 0,
    stderr: "ended at both ends\n",
  });
  await answered(carol, callId, "BYE");
  await expect
    .poll(async () => data(await asOperator("calls", "--user", alice.address, "--json")).calls, { timeout: 20_000 })
    .toMatchObject([{ callId, endedBy: "gateway" }]);
  const id = String(sessions.find(({ user }) => user === alice.name)?.id);
  expect(data(await asOperator("kick", id, "--json"))).toEqual({ kicked: [id] });
  expect((await alice.client.closed).code).toBe(4403);
  expect(await asOperator("kick", "--user", carol.address)).toMatchObject({ exit: 0, stderr: "closed\n" });
  expect((await carol.client.closed).code).toBe(4403);
  expect(await asOperator("kick", "--user", carol.address)).toMatchObject({ exit: 1, stdout: "" });
  expect(data(await asOperator("sessions", "--json")).sessions).toMatchObject([{ user: eve.name }]);
  eve.client.close();
});

it("what was refused lately is told with its reason and remedy, each customer's own", async () => {
  const client = await scene.connect();
  const wrong = credential("alice@acme.example", { secret: "a-wrong-secret-of-nobody" });
  expect(status(await client.register("alice@acme.example", wrong))).toBe(403);
  client.close();
  const said = await asOperator("refusals", "acme");
  expect(said.stdout).toMatch(/^\S+Z\tcredential-rejected\t.*\t127\.0\.0\.1\t.*\tclaimed\t[^\t]+\t[^\t]+$/m);
  expect(said.stdout).not.toContain("a-wrong-secret");
  expect(data(await asOperator("refusals", "acme", "--json")).refusals).toMatchObject([
    { code: "credential-rejected" },
  ]);
  expect((await asOperator("refusals", "globex")).stdout).toBe("");
});
