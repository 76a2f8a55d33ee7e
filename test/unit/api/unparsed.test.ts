import { once } from "node:events";
import { createServer, type Server } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { buffer } from "node:stream/consumers";
import { afterEach, describe, expect, it } from "vitest";
import { createHttp, json } from "../../../src/api/http.ts";
import { served } from "../../../src/api/unparsed.ts";
import { problemOf } from "../../helpers/problem.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listening(lines: unknown[], options: { readonly headersTimeout?: number } = {}): Promise<number> {
  const app = createHttp({ bodyLimit: 10, onFault: (error) => expect.fail(String(error)), notFound: "" });
  app.get("/whole", (_request, reply) => json(reply, {}));
  app.post("/whole", (_request, reply) => json(reply, {}));
  app.get("/begun", (_request, reply) => {
    reply.hijack();
    reply.raw.writeHead(200, { "content-length": "9" }).write("half");
  });
  const server = createServer({ ...options, connectionsCheckingInterval: 10, keepAlive: true });
  (await served(app, { debug: (...line: unknown[]) => void lines.push(line) }))(server);
  servers.push(server.listen(0, "127.0.0.1"));
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

describe("what Node's parser makes no request of", () => {
  it("is not answered into an answer that has begun", async () => {
    const lines: unknown[] = [];
    const socket = connect(await listening(lines), "127.0.0.1");
    socket.write("GET /begun HTTP/1.1\r\nHost: x\r\n\r\n");
    const [begun] = (await once(socket, "data")) as [Buffer];
    socket.write("no HTTP\r\n\r\n");
    const rest = await buffer(socket);
    expect(Buffer.concat([begun, rest]).toString()).toMatch(/^HTTP\/1\.1 200 OK\r\n[^{}]*half$/);
    expect(lines).toEqual([]);
  });

  it("is answered once, whatever comes after it", async () => {
    const lines: unknown[] = [];
    const socket = connect(await listening(lines), "127.0.0.1");
    for (let time = 0; time < 50; time++) socket.write("no HTTP\r\n\r\n");
    expect(problemOf((await buffer(socket)).toString())).toMatchObject({ status: 400 });
    expect(lines).toHaveLength(1);
  });

  it("because it never came whole is a problem too, without code", async () => {
    const socket = connect(await listening([], { headersTimeout: 20 }), "127.0.0.1");
    socket.write("GET /whole HTTP/1.1\r\n");
    expect(problemOf((await buffer(socket)).toString())).toEqual({
      title: "Request Timeout",
      status: 408,
      detail: expect.stringContaining("send it again"),
    });
  });

  it("because it has no end of chunk extensions is too big", async () => {
    const socket = connect(await listening([]), "127.0.0.1");
    const head =
      "POST /whole HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    socket.write(`${head}1;${"x".repeat(20_000)}`);
    const answer = (await buffer(socket)).toString();
    expect(problemOf(answer)).toMatchObject({ status: 413, code: "message-too-big" });
  });

  it("twin: what is a request gets its answer", async () => {
    const response = await fetch(`http://127.0.0.1:${await listening([])}/whole`);
    expect([response.status, await response.text()]).toEqual([200, "{}"]);
  });
});
