import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { postern } from "../helpers/cli.ts";
import { freePort } from "../helpers/ports.ts";

const detail = 'no "upstream" answers';

describe("postern health", () => {
  const asked: string[] = [];
  /** A gateway that runs and cannot serve. */
  const gateway = createServer((request, response) => {
    asked.push(request.url ?? "");
    if (request.url === "/livez") response.end('{"status":"ok"}');
    else response.writeHead(503).end(JSON.stringify({ title: "Service Unavailable", status: 503, detail }));
  });
  let admin = "";
  beforeAll(async () => {
    await once(gateway.listen(0, "127.0.0.1"), "listening");
    admin = `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`;
  });
  afterAll(() => void gateway.close());

  it("is 1 where the gateway cannot serve, with the gateway's own reason", async () => {
    expect(await postern(["health", "--admin", admin])).toMatchObject({ exit: 1, stdout: "", stderr: `${detail}\n` });
    const { stdout } = await postern(["health", "--json", "--admin", admin]);
    expect(JSON.parse(stdout)).toEqual({ ok: false, status: 503, sentence: detail });
    expect(asked).toEqual(["/readyz", "/readyz"]);
  });

  it("is 0 with --live where the gateway runs, however it is", async () => {
    expect(await postern(["health", "--live", "--admin", admin])).toMatchObject({
      exit: 0,
      stdout: "",
      stderr: "ok\n",
    });
  });

  it("asks where POSTERN_ADMIN says, but where --admin says before that", async () => {
    const env = { POSTERN_ADMIN: admin };
    expect(await postern(["health", "--live"], { env })).toMatchObject({ exit: 0 });
    const other = `http://127.0.0.1:${await freePort()}`;
    const nobody = await postern(["health", "--live", "--admin", other], { env });
    expect(nobody).toMatchObject({ exit: 1, stderr: `no answer from ${other}: ECONNREFUSED\n` });
  });

  it("says so where it is a port that no HTTP client asks", async () => {
    const { exit, stderr } = await postern(["health", "--admin", "http://127.0.0.1:5060"]);
    expect([exit, stderr]).toEqual([1, "no answer from http://127.0.0.1:5060: bad port\n"]);
  });

  it("is 2 with what is no URL of an admin.listen", async () => {
    expect(await postern(["health", "--admin", "file:///etc/passwd"])).toMatchObject({ exit: 2, stdout: "" });
    expect(await postern(["health"], { env: { POSTERN_ADMIN: "8089" } })).toMatchObject({ exit: 2, stdout: "" });
  });
});
