import type { Server } from "node:http";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { answer, bodyOf, json, problem } from "../../src/api/http.ts";
import type { Pages } from "../../src/api/public.ts";
import type { Clock } from "../../src/core/clock.ts";
import type { Traced, TraceListener } from "../../src/telemetry/trace.ts";
import { type Asset, pageHeaders } from "./assets.ts";
import { Eavesdropper } from "./eavesdropper.ts";
import { hostsOf, isHere, isOwnPage } from "./guard.ts";
import type { Inspector } from "./inspector.ts";
import type { KamailioMessage } from "./kamailio-ladder.ts";
import { type Minter, sampleKinds } from "./minter.ts";
import { pcap } from "./pcap.ts";
import type { Servlet } from "./servlets.ts";
import { stream } from "./stream.ts";
import { ladderText } from "./text.ts";
import { type Visit, Visits } from "./visits.ts";

export interface PagesParts {
  /** Of the gateway. */
  readonly port: number;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly servlets: readonly Servlet[];
  readonly minter: Minter;
  readonly inspector: Inspector;
  readonly clock: Clock;
}

/** Seconds that a page's credential lives: short, so that its renewal can be watched. */
const ttl = 300;

type Answer = (request: FastifyRequest, reply: FastifyReply) => FastifyReply | Promise<FastifyReply>;

/** `/demo/`: the page and what it asks for. Each visit reads its own ladder alone. */
export class DemoPages implements Pages, TraceListener {
  readonly #parts: PagesParts;
  readonly #hosts: readonly string[];
  readonly #visits: Visits;
  readonly #eavesdropper: Eavesdropper;
  readonly #stop = new AbortController();

  constructor(parts: PagesParts) {
    const now = (): number => parts.clock.now();
    this.#parts = parts;
    this.#hosts = hostsOf(parts.port);
    this.#visits = new Visits(now);
    this.#eavesdropper = new Eavesdropper(this.#visits, now);
  }

  message(traced: Traced, bytes: Buffer): void {
    this.#eavesdropper.message(traced, bytes);
  }

  verdict(traced: Traced): void {
    this.#eavesdropper.verdict(traced);
  }

  atTrunk(message: KamailioMessage): void {
    this.#eavesdropper.atTrunk(message);
  }

  reach(server: Server): void {
    server.on("upgrade", (request) => this.#eavesdropper.upgraded(request));
  }

  /** Lets no page's reading keep the server from closing. */
  close(): void {
    this.#stop.abort();
    this.#parts.inspector.close();
  }

  routes(app: FastifyInstance): void {
    const { assets, servlets, minter } = this.#parts;
    const headers = pageHeaders(this.#hosts);
    const here = (url: string, show: Answer): void => {
      app.get(url, (request, reply) => (isHere(request, reply, this.#hosts) ? show(request, reply) : reply));
    };
    here("/demo", (_request, reply) => reply.redirect("/demo/", 308));
    for (const [name, { type, body }] of assets) {
      here(`/demo/${name}`, (_request, reply) => reply.headers(headers).type(type).send(body));
    }
    const own = (method: "GET" | "POST" | "DELETE", url: string, show: Answer): void => {
      app.route({ method, url: `/demo/${url}`, exposeHeadRoute: false, handler: this.#ifOwn(show) });
    };
    own("POST", "visit", (request, reply) => this.#open(request, reply));
    own("GET", "credential", (request, reply) => this.#credential(request, reply));
    own("GET", "servlets", (_request, reply) => json(reply, servlets));
    own("POST", "inspect", (request, reply) => this.#inspect(request, reply));
    own("POST", "sample", (request, reply) => {
      const kind = sampleKinds.find((one) => one === textOf(request, "kind"));
      return kind ? json(reply, minter.sample(kind)) : problem(reply, 404, `kind is one of ${sampleKinds.join(", ")}`);
    });
    const whose = (method: "GET" | "DELETE", url: string, show: (visit: Visit, reply: FastifyReply) => FastifyReply) =>
      own(method, url, (request, reply) => {
        const visit = this.#visits.byKey(String(request.headers["x-demo-key"]));
        return visit ? show(visit, reply) : problem(reply, 403, "this page is not known any more: load it anew");
      });
    whose("GET", "ladder", ({ ladder }, reply) => stream(reply, ladder, this.#stop.signal));
    whose("GET", "ladder.txt", ({ ladder }, reply) =>
      answer(reply, 200, "text/plain; charset=utf-8", ladderText(inOrder(ladder.rows))),
    );
    whose("GET", "ladder.pcap", ({ ladder }, reply) =>
      reply.type("application/vnd.tcpdump.pcap").send(pcap(inOrder(ladder.rows))),
    );
    whose("DELETE", "ladder", ({ ladder }, reply) => {
      ladder.clear();
      return reply.code(204).send();
    });
  }

  #ifOwn(show: Answer): Answer {
    return (request, reply) => {
      if (!isHere(request, reply, this.#hosts) || !isOwnPage(request, reply, this.#hosts)) return reply;
      return show(request, reply);
    };
  }

  #open(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const visit = this.#visits.open(textOf(request, "key"));
    if (!visit) return problem(reply, 503, "too many pages are open: close some", "limit-reached");
    const { key, line, user } = visit;
    const url = `ws://${request.headers.host}/?line=${line}`;
    return json(reply, { key, line, user, url, uri: `sip:${user}@acme.example`, domain: "acme.example" });
  }

  /** What acme's servlet would do for who is logged in. */
  #credential(request: FastifyRequest, reply: FastifyReply): FastifyReply {
    const { line } = request.query as { readonly line?: unknown };
    const visit = this.#visits.byLine(String(line));
    if (!visit) return problem(reply, 403, "this page is not known any more: load it anew");
    return json(reply, { ...this.#parts.minter.mint(visit.user, ttl), uri: `sip:${visit.user}@acme.example` });
  }

  async #inspect(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    const body = bodyOf(request);
    const inspected = await this.#parts.inspector.inspect(body.kind === "json" ? body.value : undefined);
    if (inspected.kind === "judged") return json(reply, inspected.judged);
    if (inspected.kind === "malformed") return problem(reply, 422, inspected.sentence, "message-malformed");
    return problem(reply.header("retry-after", "1"), 429, "the inspector answers 5 times a second", "rate-limited");
  }
}

const inOrder = <Timed extends { readonly at: number }>(rows: readonly Timed[]): Timed[] =>
  rows.toSorted((one, other) => one.at - other.at);

/** A member of a JSON body, where it is a text. */
function textOf(request: FastifyRequest, name: string): string | undefined {
  const body = bodyOf(request);
  if (body.kind !== "json" || typeof body.value !== "object" || body.value === null) return undefined;
  const value = (body.value as Readonly<Record<string, unknown>>)[name];
  return typeof value === "string" ? value : undefined;
}
