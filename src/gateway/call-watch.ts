import type { CallRecord, CallSink, EndReason } from "../core/calls.ts";
import type { Clock } from "../core/clock.ts";
import type { Identity } from "../core/identity.ts";
import type { Message } from "../sip/message.ts";
import type { Request } from "../sip/request.ts";
import { arrived, type Growing, placed } from "./call-record.ts";
import type { CallName } from "./calls.ts";
import { longestCall, type Outward } from "./chain.ts";
import type { CallConferences } from "./conferences.ts";
import { linger, patience } from "./dialog-table.ts";

export interface CallWatchParts {
  readonly clock: Clock;
  readonly calls: CallSink;
  readonly gatewayId: string;
  /** Told who is in which call. */
  readonly parties: Pick<CallConferences, "begun" | "ended">;
}

type End = Pick<Growing, "endedBy" | "reason" | "status">;

interface Call {
  readonly record: Growing;
  /** Of the INVITEs that have no final response. */
  readonly branches: Set<string>;
  /** Tags of the answered dialogs that stand, of whoever was called. */
  readonly standing: Set<string>;
  /** Of all answered ones: a 2xx that comes once more answers nothing. */
  readonly answered: Set<string>;
  /** Who asked for its end, and when (milliseconds); it is over when that is answered. */
  asked: { readonly by: "client" | "far"; readonly at: number } | undefined;
  /** When upstream was lost while it rang at the client, milliseconds, and nobody has said anything of it since. */
  lost: number | undefined;
  timer: NodeJS.Timeout | undefined;
}

/** Calls of one leg that are watched at once, more than its tables hold; the oldest that rings is given up for another. */
const most = 1_024;
/** Answered dialogs of one call. */
const mostForks = 16;
/** Milliseconds that Kamailio's clock may be before ours. */
const clocks = 2_000;
/** Kamailio's own BYE comes from nobody beyond it. */
const isKamailios = (message: Message): boolean => message.values("via").length === 1;

/**
 * The calls of one leg as records: it sees what passed, and says what has become of a call each time that it changes.
 * The forks of one INVITE are one call. No verdict hangs on it.
 */
export class CallWatch {
  readonly #parts: CallWatchParts;
  /** By `out` or `in`, Call-ID and the caller's tag. */
  readonly #calls = new Map<string, Call>();

  constructor(parts: CallWatchParts) {
    this.#parts = parts;
  }

  /** A request of the client goes upstream. */
  went(request: Request, identity: Identity, outward: Outward): void {
    const { message, method, fromTag, toTag } = request;
    if (method === "INVITE" && toTag === undefined) {
      const record = placed(request, identity, outward, this.#seen);
      this.#begin(outKey(message.callId, fromTag), record, message.via.branch, identity);
    } else if (method === "CANCEL") this.#ask(outKey(message.callId, fromTag), "client");
    else if (method === "BYE") this.#askInside(message.callId, fromTag, toTag ?? "");
  }

  /** A response of upstream goes to the client. */
  heard(response: Message): void {
    const { callId, method } = response;
    const [local, remote] = tagsOf(response);
    if (method === "INVITE") this.#progress(outKey(callId, local), response, remote, "far");
    else if (method === "BYE") this.#answeredBye(callId, local, remote, response.status);
  }

  /** A request of upstream goes to the client. */
  came(request: Message, identity: Identity): void {
    const { callId, method } = request;
    const [remote, local] = tagsOf(request);
    if (method === "INVITE" && local === "") {
      const record = arrived(request, identity, this.#seen);
      this.#begin(inKey(callId, remote), record, request.via.branch, identity);
    } else if (method === "CANCEL") this.#ask(inKey(callId, remote), "far");
  }

  /** A BYE of upstream came, whether the client can be told or not: over there the call has ended. */
  hungUp(bye: Message, { customer, narrowing }: Identity): void {
    const [remote, local] = tagsOf(bye);
    const found = this.#inside(bye.callId, local, remote);
    if (!found) return;
    const { answer = Number.POSITIVE_INFINITY } = found.call.record;
    const longest = longestCall({ customer, narrowing });
    const tooLong = longest > 0 && this.#now - answer + clocks >= longest * 1000 && isKamailios(bye);
    this.#leave(found, this.#now, tooLong ? { endedBy: "gateway", reason: "call-seconds" } : { endedBy: "far" });
  }

  /** A response of the client goes upstream. */
  said(response: Message): void {
    const [remote, local] = tagsOf(response);
    if (response.method === "INVITE") this.#progress(inKey(response.callId, remote), response, local, "client");
  }

  /** Those that ring or stand. */
  get records(): readonly CallRecord[] {
    return [...this.#calls.values()].map(({ record }) => record);
  }

  /** By the id of its record. */
  find(id: string): CallName | undefined {
    return this.#found(id)?.name;
  }

  /** It was ended by hand. */
  hungUpByHand(id: string): void {
    const found = this.#found(id);
    if (found) this.#end(found.key, found.call, this.#now, { endedBy: "gateway", reason: "hung-up" });
  }

  #found(id: string): { readonly key: string; readonly call: Call; readonly name: CallName } | undefined {
    for (const [key, call] of this.#calls) {
      const { callId, direction } = call.record;
      if (call.record.id !== id) continue;
      return { key, call, name: { callId, tag: callerOf(key), outgoing: direction !== "in" } };
    }
    return undefined;
  }

  /** Upstream is gone: nobody answers any more what was asked. What rings at the client may be answered yet, if it comes back. */
  abandon(): void {
    for (const [key, call] of this.#calls) {
      if (call.record.answer !== undefined) continue;
      if (call.record.direction === "in") call.lost ??= this.#now;
      else this.#end(key, call, this.#now, { endedBy: "gateway", reason: "upstream-unavailable", status: 503 });
    }
  }

  /** The leg is over, and all of its calls. */
  close(reason: EndReason): void {
    for (const [key, call] of this.#calls) this.#end(key, call, ...this.#askedOr(call, { endedBy: "gateway", reason }));
  }

  get #now(): number {
    return this.#parts.clock.now();
  }

  get #seen(): { gateway: string; at: number } {
    return { gateway: this.#parts.gatewayId, at: this.#now };
  }

  #begin(key: string, record: Growing, branch: string, { narrowing }: Identity): void {
    const before = this.#calls.get(key);
    // It forks to several Contacts of this leg; or its caller says so, and what stands goes on.
    if (before && record.direction === "in") {
      if (before.branches.size < mostForks) before.branches.add(branch);
      return;
    }
    if (before) this.#end(key, before, ...this.#askedOr(before, { endedBy: "gateway", reason: "unanswered" }));
    const oldest = this.#calls.size >= most ? this.#leastKnown() : undefined;
    if (oldest) this.#end(...oldest, this.#now, { endedBy: "gateway", reason: "unanswered" });
    const call: Call = {
      record,
      branches: new Set([branch]),
      standing: new Set(),
      answered: new Set(),
      asked: undefined,
      lost: undefined,
      timer: undefined,
    };
    this.#calls.set(key, call);
    this.#parts.parties.begun(record, callerOf(key), narrowing.conference === record.callId);
    this.#within(patience, key, call);
    this.#parts.calls.note(record);
  }

  /** The oldest that rings; whoever rings without end ends no record of a call that stands. */
  #leastKnown(): [string, Call] | undefined {
    const [first] = this.#calls;
    for (const entry of this.#calls) if (entry[1].record.answer === undefined) return entry;
    return first;
  }

  #progress(key: string, { status, via: { branch } }: Message, tag: string, by: "client" | "far"): void {
    const call = this.#calls.get(key);
    if (!call?.branches.has(branch) || status <= 100) return;
    call.lost = undefined;
    if (status >= 300) this.#fail(key, call, branch, status, by);
    else if (status >= 200) this.#answer(call, tag);
    else if (status >= 180 && call.record.ringing === undefined) {
      call.record.ringing = this.#now;
      this.#parts.calls.note(call.record);
    }
  }

  #answer(call: Call, tag: string): void {
    if (call.answered.has(tag) || call.answered.size >= mostForks) return;
    call.answered.add(tag);
    call.standing.add(tag);
    if (call.record.answer !== undefined) return;
    clearTimeout(call.timer);
    call.asked = undefined;
    call.record.answer = this.#now;
    call.record.status = 200;
    this.#parts.calls.note(call.record);
  }

  /** by: who answers. */
  #fail(key: string, call: Call, branch: string, status: number, by: "client" | "far"): void {
    call.branches.delete(branch);
    if (call.branches.size > 0 || call.record.answer !== undefined) return;
    this.#end(key, call, this.#now, { endedBy: call.asked?.by ?? by, status });
  }

  #ask(key: string, by: "client" | "far"): void {
    const call = this.#calls.get(key);
    if (!call || call.record.answer !== undefined) return;
    call.asked = { by, at: this.#now };
    this.#within(linger, key, call);
  }

  /** The client's BYE: what came in on the way may refuse it, and then the call goes on. */
  #askInside(callId: string, local: string, remote: string): void {
    const found = this.#inside(callId, local, remote);
    if (!found || found.call.standing.size > 1) return;
    found.call.asked = { by: "client", at: this.#now };
    this.#within(linger, found.key, found.call);
  }

  #answeredBye(callId: string, local: string, remote: string, status: number): void {
    const found = this.#inside(callId, local, remote);
    if (!found || status < 200) return;
    const { call } = found;
    if (status < 300 || status === 408 || status === 481)
      this.#leave(found, call.asked?.at ?? this.#now, { endedBy: "client" });
    else {
      call.asked = undefined;
      clearTimeout(call.timer);
    }
  }

  /** A dialog of it has ended; with the last of them it is over. */
  #leave({ key, call, tag }: Inside, at: number, end: End): void {
    call.standing.delete(tag);
    if (call.standing.size === 0) this.#end(key, call, at, end);
  }

  #inside(callId: string, local: string, remote: string): Inside | undefined {
    const out = this.#calls.get(outKey(callId, local));
    if (out?.standing.has(remote)) return { key: outKey(callId, local), call: out, tag: remote };
    const into = this.#calls.get(inKey(callId, remote));
    return into?.standing.has(local) ? { key: inKey(callId, remote), call: into, tag: local } : undefined;
  }

  /** After so many milliseconds it is over, whoever may speak of it later. */
  #within(milliseconds: number, key: string, call: Call): void {
    clearTimeout(call.timer);
    const over = (): void => this.#end(key, call, ...this.#unanswered(call));
    call.timer = setTimeout(over, milliseconds).unref();
  }

  /** Whoever asked for its end has ended it. */
  #askedOr({ asked }: Call, end: End): [at: number, end: End] {
    return asked ? [asked.at, { endedBy: asked.by }] : [this.#now, end];
  }

  /** Where upstream was lost on the way it rang no longer for its caller. */
  #unanswered(call: Call): [at: number, end: End] {
    const { asked, lost } = call;
    if (!asked && lost !== undefined) return [lost, { endedBy: "gateway", reason: "upstream-unavailable" }];
    return this.#askedOr(call, { endedBy: "gateway", reason: "unanswered" });
  }

  #end(key: string, { record, timer }: Call, at: number, end: End): void {
    clearTimeout(timer);
    this.#calls.delete(key);
    Object.assign(record, end, { end: at });
    if (record.answer !== undefined) record.seconds = Math.max(0, at - record.answer) / 1000;
    this.#parts.parties.ended(record);
    this.#parts.calls.note(record);
  }
}

interface Inside {
  readonly key: string;
  readonly call: Call;
  readonly tag: string;
}

const outKey = (callId: string, tag: string): string => `out ${callId} ${tag}`;
const inKey = (callId: string, tag: string): string => `in ${callId} ${tag}`;
/** The caller's tag. */
const callerOf = (key: string): string => key.slice(key.lastIndexOf(" ") + 1);

/** From tag and To tag. */
const tagsOf = ({ from, to }: Message): [string, string] => [from.params.get("tag") ?? "", to.params.get("tag") ?? ""];
