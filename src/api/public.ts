import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";

/** What the public port answers to plain HTTP: its health, and a problem to all else (RFC 9457). */
export const publicHttp: RequestListener = (request, response) => {
  const path = (request.url ?? "").split("?", 1)[0];
  if (path === "/healthz" && isRead(request)) answer(response, 200, "application/json", { status: "ok" });
  else problem(response, 404, "Not Found", "here is a WebSocket (subprotocol sip) and /healthz");
};

export const isRead = (request: IncomingMessage): boolean => request.method === "GET" || request.method === "HEAD";

export function problem(response: ServerResponse, status: number, title: string, detail: string, code?: string): void {
  answer(response, status, "application/problem+json", { title, status, ...(code ? { code } : {}), detail });
}

export function answer(response: ServerResponse, status: number, type: string, body: unknown): void {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(text);
}
