import type { ReplyHead } from "../sip/reply.ts";
import type { Dialog } from "./dialog-table.ts";
import type { ClientTransaction, ServerTransaction } from "./transactions.ts";

/** What it takes to end a call in the client's place. */
export interface Hangup {
  readonly requestUri: string;
  readonly routes: readonly string[];
  readonly from: string;
  readonly to: string;
  readonly callId: string;
  readonly cseq: number;
  /** Of the INVITE, for a CANCEL: branch and sent-by must be its own. */
  readonly via: string;
}

/** What ends calls at one of their ends. */
export interface Unfinished {
  readonly byes: readonly Hangup[];
  readonly cancels: readonly Hangup[];
  /** INVITEs from there that were not answered. */
  readonly ringing: readonly ReplyHead[];
}

/** A call, its forks together. */
export interface CallName {
  readonly callId: string;
  /** Of who calls. */
  readonly tag: string;
  /** The client calls. */
  readonly outgoing: boolean;
}

/** Calls that stand, INVITEs of the client that ring, and those that it was to answer. */
export interface Calls {
  readonly standing: readonly Dialog[];
  readonly asked: readonly ClientTransaction[];
  readonly offered: readonly ServerTransaction[];
}

/** Of one leg. */
interface Tables {
  readonly dialogs: Iterable<Dialog>;
  readonly client: Iterable<ClientTransaction>;
  readonly server: Iterable<ServerTransaction>;
}

export const isCall = ({ method }: Dialog): boolean => method === "INVITE";
export const rings = ({ head, status }: ClientTransaction | ServerTransaction): boolean =>
  head.method === "INVITE" && status < 200;

/** The forks of one INVITE are one call, two INVITEs with one Call-ID are two. */
export function countCalls(dialogs: Iterable<Dialog>, client: Iterable<ClientTransaction>): number {
  const calls = new Set<string>();
  for (const one of dialogs) if (isCall(one)) calls.add(`${one.callId} ${one.localTag}`);
  for (const one of client) if (rings(one)) calls.add(`${one.callId} ${one.fromTag}`);
  return calls.size;
}

/** The calls of a leg's tables, or one of them alone. */
export function callsIn({ dialogs, client, server }: Tables, one: CallName | undefined): Calls {
  const isOut = (callId: string, tag: string): boolean => !one || (one.outgoing && isOf(one, callId, tag));
  const isIn = (callId: string, tag: string): boolean => !one || (!one.outgoing && isOf(one, callId, tag));
  const standing = [...dialogs].filter(
    (one) => isCall(one) && one.confirmed && (isOut(one.callId, one.localTag) || isIn(one.callId, one.remoteTag)),
  );
  const asked = [...client].filter((one) => rings(one) && !one.dialog && isOut(one.callId, one.fromTag));
  const offered = [...server].filter((one) => rings(one) && isIn(one.callId, one.fromTag));
  return { standing, asked, offered };
}

/** What ends them at upstream. */
export const endsUpstream = ({ standing, asked, offered }: Calls): Unfinished => ({
  byes: standing.map(byeOf),
  cancels: asked.map(cancelOf),
  ringing: offered.map(({ head }) => head),
});

/** The same at the client, which hears it as if from the other side. */
export const endsAtClient = ({ standing, asked, offered }: Calls): Unfinished => ({
  byes: standing.map(byeToClient).filter((bye) => bye !== undefined),
  cancels: offered.map(cancelOf),
  ringing: asked.map(({ head }) => head),
});

export const byeOf = ({ target, routes, local, remote, callId, localCseq }: Dialog): Hangup => ({
  requestUri: target,
  routes,
  from: local,
  to: remote,
  callId,
  cseq: localCseq + 1,
  via: "",
});

/** The same towards the client, in the other side's name; undefined where it showed no Contact to reach it by. */
const byeToClient = ({ contact, local, remote, callId, remoteCseq }: Dialog): Hangup | undefined =>
  contact === undefined
    ? undefined
    : { requestUri: contact, routes: [], from: remote, to: local, callId, cseq: remoteCseq + 1, via: "" };

/** Of what is cancelled at either end. */
const cancelOf = ({ head, requestUri, callId, cseq }: ClientTransaction | ServerTransaction): Hangup => ({
  requestUri,
  routes: [],
  from: head.from,
  to: head.to,
  callId,
  cseq,
  via: head.via[0]!,
});

/** Whether the call is of this Call-ID and caller's tag. */
export const isOf = (one: CallName, callId: string, tag: string): boolean => one.callId === callId && one.tag === tag;
