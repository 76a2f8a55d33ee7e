import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { bodyOf, createHttp, json, listenerOf, problem } from "../../../src/api/http.ts";

const faults: unknown[] = [];
const app = createHttp({
  bodyLimit: 1000,
  onFault: (error) => faults.push(error),
  notFound: "here are /things",
  gate: (request, reply) => {
    if (request.headers["x-gate"] !== undefined) problem(reply, 403, "not you");
  },
});
let server: Server;
let url: string;

beforeAll(async () => {
  app.get("/things", (_request, reply) => json(reply, { ok: true }));
  app.post("/things", (request, reply) => json(reply, bodyOf(request)));
  app.get("/things/:id", (request, reply) => json(reply, request.params));
  app.get("/fault", () => {
    throw new Error("password=hunter2");
  });
  app.get("/status", () => {
    throw Object.assign(new Error("hunter2"), { statusCode: 418, code: "TEAPOT" });
  });
  server = createServer(await listenerOf(app));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await app.close();
});

const post = (body: string | Uint8Array<ArrayBuffer>, type: string | null = "application/json"): Promise<Response> =>
  fetch(`${url}/things`, { method: "POST", body, headers: type === null ? {} : { "content-type": type } });

const seen = async (response: Response): Promise<unknown[]> => [response.status, await response.json()];

/** One raw request on a socket of its own, everything that came back. */
async function raw(text: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.end(text);
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

describe("the HTTP of both listeners", () => {
  it("answers JSON without a charset, not stored, not sniffed", async () => {
    const response = await fetch(`${url}/things`);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("x-content-type-options")).toBe("nosniff");
    expect(await response.text()).toBe('{"ok":true}');
  });

  it("answers HEAD with the same length and no body", async () => {
    const response = await fetch(`${url}/things`, { method: "HEAD" });
    expect([response.status, response.headers.get("content-length"), await response.text()]).toEqual([200, "11", ""]);
  });

  it.each(["/", "/Things", "/things/", "//things", "/things/1/2", "/nothing?x=/things", `/things/${"x".repeat(200)}`])(
    "says of %s what is here instead",
    async (path) => {
      const response = await fetch(url + path);
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(await seen(response)).toEqual([404, { title: "Not Found", status: 404, detail: "here are /things" }]);
    },
  );

  it.each([
    ["PUT", "/things?x=1", "GET, HEAD, POST"],
    ["OPTIONS", "/things", "GET, HEAD, POST"],
    ["POST", "/things/7", "GET, HEAD"],
    ["PROPFIND", "/things/7", "GET, HEAD"],
  ])("says what a path takes instead of %s %s", async (method, path, allow) => {
    const response = await fetch(url + path, { method });
    expect(response.headers.get("allow")).toBe(allow);
    expect(await seen(response)).toMatchObject([405, { title: "Method Not Allowed", status: 405 }]);
  });

  it("reads no body for a path that is not here", async () => {
    const response = await fetch(`${url}/nothing`, { method: "POST", body: "x".repeat(5000) });
    expect(response.status).toBe(404);
  });

  it("asks the gate before anything else", async () => {
    for (const path of ["/things", "/nothing"]) {
      expect((await fetch(url + path, { headers: { "x-gate": "1" } })).status).toBe(403);
    }
    expect((await fetch(`${url}/things`)).status).toBe(200);
  });

  it("refuses a path that does not decode", async () => {
    expect(await seen(await fetch(`${url}/things/%ff`))).toMatchObject([400, { status: 400 }]);
    expect(await seen(await fetch(`${url}/things/%41`))).toEqual([200, { id: "A" }]);
  });
});

describe("a body", () => {
  it.each([
    ["application/json", '{"a":[1]}', { kind: "json", value: { a: [1] } }],
    ["application/json; charset=utf-8", "1", { kind: "json", value: 1 }],
    ['Application/JSON;charset="UTF-8"', '"kind=form"', { kind: "json", value: "kind=form" }],
    ["application/x-www-form-urlencoded", "a=%41+b&a=c", { kind: "form", text: "a=%41+b&a=c" }],
  ])("of %s is read: %s", async (type, text, body) => {
    expect(await seen(await post(text, type))).toEqual([200, body]);
  });

  it("may be absent", async () => {
    expect(await seen(await fetch(`${url}/things`, { method: "POST" }))).toEqual([200, { kind: "none" }]);
  });

  it.each([
    ["a name twice", '{"a":1,"\\u0061":2}'],
    ["__proto__", '{"__proto__":1}'],
    ["nine levels", `${"[".repeat(9)}${"]".repeat(9)}`],
    ["nothing", ""],
    ["no JSON", "<x/>"],
    ["no UTF-8", Buffer.from([0x22, 0xff, 0x22])],
  ])("of JSON is refused by 400: %s", async (_, text) => {
    const response = await post(text);
    expect(await seen(response)).toMatchObject([400, { title: "Bad Request", code: "message-malformed" }]);
  });

  it.each(["ä=1", "a=b c", "a=\0"])("of a form is refused by 400: %s", async (text) => {
    expect((await post(text, "application/x-www-form-urlencoded")).status).toBe(400);
  });

  it.each(["text/plain", "application/xml", "application/json; charset=utf-16", "application/json; a=b", "x"])(
    "of %s is refused by 415",
    async (type) => {
      expect(await seen(await post("{}", type))).toMatchObject([415, { title: "Unsupported Media Type", status: 415 }]);
    },
  );

  it("is refused by 415 without a type, by 413 beyond the limit", async () => {
    expect((await post(Buffer.from("{}"), null)).status).toBe(415);
    expect((await post(`"${"x".repeat(998)}"`)).status).toBe(200);
    expect(await seen(await post(`"${"x".repeat(999)}"`))).toMatchObject([413, { code: "message-too-big" }]);
  });

  it("that ends early is no fault of ours", async () => {
    const head = "POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n";
    await raw(`${head}{"a":`);
    expect(faults).toEqual([]);
  });
});

describe("a fault", () => {
  it.each(["/fault", "/status"])("of %s is told to the log and not to the client", async (path) => {
    const response = await fetch(url + path);
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ title: "Internal Server Error", status: 500 });
    expect(text).not.toMatch(/hunter2|TEAPOT/);
    expect(String(faults.splice(0))).toContain("hunter2");
  });
});
