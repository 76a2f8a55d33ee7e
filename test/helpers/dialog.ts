import { unique } from "./raw-client.ts";
import { header, isReply, type RequestParts, recordRoutes, reply, request, tagOf, uriOf } from "./raw-sip.ts";
import type { User } from "./scene.ts";

/** A call that rings: its INVITE as the callee got it, and the caller's final response to come. */
export interface Ringing {
  readonly caller: User;
  readonly callee: User;
  readonly callId: string;
  readonly fromTag: string;
  /** The INVITE as the callee got it. */
  readonly invite: string;
  /** The INVITE that carried the proof, as it was sent. */
  readonly sent: string;
  readonly final: Promise<string>;
}

/** A call that stands, and the text of requests inside it. */
export interface Call extends Ringing {
  readonly toTag: string;
  /** The 200 as the caller got it. */
  readonly ok: string;
  fromCaller(method: string, changes?: Partial<RequestParts>): string;
  fromCallee(method: string, changes?: Partial<RequestParts>): string;
}

/** Until the callee has answered 180, with the To tag `rings`. */
export async function ring(caller: User, callee: User, more: Partial<RequestParts> = {}): Promise<Ringing> {
  const parts = caller.parts("INVITE", `sip:${callee.address}`, more);
  let sent = "";
  const final = caller.client.prove(parts, caller.given, {}, (text) => {
    sent = text;
    return text;
  });
  final.catch(() => {}); // a test that does not wait for it closes the socket
  const { callId, fromTag } = parts;
  const invite = await callee.client.take(
    (text) => text.startsWith("INVITE ") && header(text, "Call-ID") === parts.callId,
  );
  callee.client.send(reply(invite, { status: "180 Ringing", tag: "rings", contact: callee.contact }));
  await caller.client.take((text) => isReply(text, 180, "INVITE") && header(text, "Call-ID") === callId);
  return { caller, callee, callId, fromTag, invite, sent, final };
}

/** Until the callee has the ACK. */
export async function establish(caller: User, callee: User, more: Partial<RequestParts> = {}): Promise<Call> {
  const ringing = await ring(caller, callee, more);
  const { callId, fromTag, invite } = ringing;
  callee.client.send(reply(invite, { status: "200 OK", tag: "rings", contact: callee.contact }));
  const ok = await ringing.final;
  const call = standing(ringing, ok);
  caller.client.send(call.fromCaller("ACK", { cseq: 2 }));
  await callee.client.take((text) => text.startsWith("ACK ") && header(text, "Call-ID") === callId);
  return { ...call, fromTag };
}

let cseq = 100;

function standing(ringing: Ringing, ok: string): Call {
  const { caller, callee, callId, fromTag, invite } = ringing;
  const toTag = tagOf(header(ok, "To"));
  const fromCaller = (method: string, changes: Partial<RequestParts> = {}): string =>
    request({
      ...{ method, uri: uriOf(header(ok, "Contact")), from: caller.address, to: callee.address, callId },
      ...{ fromTag, toTag, cseq: ++cseq, routes: recordRoutes(ok).reverse(), ...changes },
    });
  const fromCallee = (method: string, changes: Partial<RequestParts> = {}): string =>
    request({
      ...{ method, uri: uriOf(header(invite, "Contact")), from: callee.address, to: caller.address, callId },
      ...{ fromTag: toTag, toTag: fromTag, cseq: ++cseq, routes: recordRoutes(invite), ...changes },
    });
  return { ...ringing, toTag, ok, fromCaller, fromCallee };
}

/** The next request of this method that reaches the user in this call, answered 200. */
export async function answered(user: User, callId: string, method: string): Promise<string> {
  const got = await user.client.take((text) => text.startsWith(`${method} `) && header(text, "Call-ID") === callId);
  user.client.send(reply(got, { status: "200 OK", contact: user.contact }));
  return got;
}

/** CANCEL as its INVITE demands it (RFC 3261 §9.1). */
export const cancelOf = (invite: string): string =>
  invite
    .replace(/^INVITE/, "CANCEL")
    .replace(/^(CSeq: \d+) INVITE/m, "$1 CANCEL")
    .replace(/^(?:Contact|Proxy-Authorization):.*\r\n/gm, "");

/** The final response to the request in this text. */
export function responseTo(user: User, text: string): Promise<string> {
  const [number, method] = (header(text, "CSeq") ?? "").split(" ");
  return user.client.response(header(text, "Call-ID") ?? "", Number(number), method ?? "");
}

/** Send and wait for the final response. */
export function exchange(user: User, text: string): Promise<string> {
  user.client.send(text);
  return responseTo(user, text);
}

export const freshTag = (): string => `t${unique()}`;
