import { once } from "node:events";
import type { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { WebSocket } from "ws";
import { header, headers, isReply, tagOf } from "../helpers/raw-sip.ts";
import { type Arena, md5, type Watcher } from "./arena.ts";
import { patience, within } from "./patience.ts";
import { call, fence, incomingCall, invite, slots } from "./texts.ts";
import { match, newTrip, type Trip } from "./trip.ts";

const attempts = 6;
let fences = 0;

/** One connection of alice's to the gateway, with a call that stands and one that rings. */
export class Visit implements Watcher {
  readonly #arena: Arena;
  readonly #socket: WebSocket;
  readonly #port: number;
  readonly #ended: Promise<unknown>;
  #received: string[] = [];
  #look: (() => void) | undefined;
  #trips: readonly Trip[] = [];
  #next = 0;
  #current: Trip | undefined;
  /** What the gateway said in nobody's place (md5): a BYE that the far end refused is said once more. */
  readonly #own = new Set<string>();
  #values: readonly (readonly [string, string])[] = [];
  /** Announced by the leg, and how many messages Kamailio had reported of it before the texts. */
  #leg = { port: 0, before: 0 };

  private constructor(arena: Arena, socket: WebSocket, port: number) {
    this.#arena = arena;
    this.#socket = socket;
    this.#port = port;
    // Not once(): an error comes before the close, and is none here.
    this.#ended = new Promise((resolve) => socket.once("close", () => resolve(true)));
    socket.on("message", (data: Buffer) => {
      this.#received.push(data.toString("latin1"));
      this.#look?.();
    });
    arena.watch(port, this);
  }

  /** quiet: no calls are made. Tries again where the machine is too busy for a connection or a datagram is lost. */
  static async open(arena: Arena, quiet = false): Promise<Visit> {
    for (let attempt = 1; ; attempt++) {
      const visit = await Visit.#connect(arena);
      const fault = visit && !quiet ? await visit.#settle() : undefined;
      if (visit && fault === undefined) return visit;
      await visit?.close();
      if (attempt === attempts) throw new Error(fault ?? "the gateway takes no connection");
      await sleep(250 * attempt);
    }
  }

  static async #connect(arena: Arena): Promise<Visit | undefined> {
    const socket = new WebSocket(await arena.url(), ["sip"], {
      perMessageDeflate: false,
      handshakeTimeout: patience,
      // What the gateway says of a text in no encoding is in none.
      skipUTF8Validation: true,
    });
    const upgraded = once(socket, "upgrade");
    const opened = await Promise.all([upgraded, once(socket, "open")]).catch(() => undefined);
    socket.on("error", () => {}); // shows as an answer that does not come
    if (!opened) return undefined;
    const [[response]] = opened as unknown as [[{ readonly socket: Socket }]];
    return new Visit(arena, socket, response.socket.localPort!);
  }

  /** The bytes of a text on this connection. */
  bytes(text: string): Buffer {
    const filled = this.#values.reduce((so, [slot, value]) => so.replaceAll(slot, value), text);
    return Buffer.from(filled, "latin1");
  }

  /** Send all of them, and return what became of each once what was sent after them has been answered. */
  async run(texts: readonly string[]): Promise<Trip[]> {
    const trips = texts.map((text) => newTrip(this.bytes(text)));
    const last = newTrip(Buffer.from(fence(fences++), "latin1"));
    this.#expect([...trips, last]);
    for (const { bytes } of this.#trips) this.#send(bytes);
    const callId = header(last.bytes.toString("latin1"), "Call-ID")!;
    const answer = await this.#take((message) => header(message, "Call-ID") === callId);
    const taken = answer !== undefined && isReply(answer, 486, "OPTIONS") && last.forwarded;
    if (taken) await within(this.#arena.reports.taken(md5(taken)));
    else await this.#ending();
    const reports = this.#arena.reports.on(this.#leg.port).slice(this.#leg.before);
    match(
      this.#trips,
      reports.filter((report) => !this.#own.has(report.md5)),
    );
    return trips;
  }

  /** Send what the gateway answers by closing the connection. */
  async runLast(text: string): Promise<Trip> {
    const trip = newTrip(this.bytes(text));
    this.#expect([trip]);
    this.#send(trip.bytes);
    trip.handled = (await within(this.#ended)) !== undefined;
    return trip;
  }

  async close(): Promise<void> {
    this.#arena.unwatch(this.#port);
    this.#arena.reports.forget(this.#leg.port);
    this.#socket.close();
    await within(this.#ended);
  }

  fromClient(bytes: Buffer): void {
    while (this.#next < this.#trips.length) {
      this.#current = this.#trips[this.#next++]!;
      if (!this.#current.bytes.equals(bytes)) continue; // dropped before anybody was told
      this.#current.handled = true;
      return;
    }
    this.#current = undefined;
  }

  toUpstream(bytes: Buffer): void {
    const trip = this.#current;
    if (this.#isOwn(bytes)) this.#own.add(md5(bytes));
    else if (trip?.forwarded) trip.surplus++;
    else if (trip) trip.forwarded = Buffer.from(bytes);
  }

  /** Of a branch that no text of these has. */
  #isOwn(bytes: Buffer): boolean {
    const branch = /^BYE .*?\nVia: [^\r]*;branch=(z9hG4bK[0-9a-f]{16})\r/s.exec(bytes.toString("latin1"))?.[1];
    return branch !== undefined && !this.#trips.some(({ bytes: sent }) => sent.includes(branch));
  }

  verdict(code: string): void {
    if (this.#current) this.#current.verdict = code;
  }

  /** A call that stands, and one that is offered: what requests and responses inside dialogs are about. Why not, else. */
  async #settle(): Promise<string | undefined> {
    const branch = `z9hG4bKcall${fences++}`;
    const trip = newTrip(Buffer.from(invite(branch), "latin1"));
    this.#expect([trip]);
    this.#send(trip.bytes);
    const answered = await this.#take((message) => header(message, "Call-ID") === call.callId);
    if (!answered || !isReply(answered, 200, "INVITE") || !trip.forwarded) return `no call stands: ${answered}`;
    const port = (await within(this.#arena.reports.taken(md5(trip.forwarded)))) ?? 0;
    this.#leg = { port, before: this.#arena.reports.on(port).length };
    this.#arena.call(port);
    const offered = await this.#take((message) => header(message, "Call-ID") === incomingCall.callId, 2_000);
    if (offered === undefined) return "no call was offered";
    const [kamailioVia = "", farVia = ""] = headers(offered, "Via");
    this.#values = [
      [slots.branch, branch],
      [slots.farTag, tagOf(header(answered, "To"))],
      [slots.kamailioVia, kamailioVia],
      [slots.farVia, farVia],
    ];
    return undefined;
  }

  /** What the gateway says in the place of a client that is gone is no surplus; and not all that Kamailio said has come yet. */
  async #ending(): Promise<void> {
    this.#arena.unwatch(this.#port);
    for (const trip of this.#trips) trip.surplus = 0;
    await (await Visit.open(this.#arena)).close();
  }

  #expect(trips: readonly Trip[]): void {
    this.#trips = trips;
    this.#next = 0;
    this.#current = undefined;
    this.#received = [];
  }

  #send(bytes: Buffer): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(bytes, { binary: true });
  }

  /** Undefined where the connection ends before, or nothing comes. */
  #take(predicate: (message: string) => boolean, deadline = patience): Promise<string | undefined> {
    const found = new Promise<string>((resolve) => {
      this.#look = () => {
        const message = this.#received.find(predicate);
        if (message !== undefined) resolve(message);
      };
      this.#look();
    });
    return within(Promise.race([found, this.#ended.then(() => undefined)]), deadline).finally(() => {
      this.#look = undefined;
    });
  }
}
