import type { Refusal } from "../core/errors.ts";
import type { Identity } from "../core/identity.ts";
import {
  authorize,
  contactRefusal,
  methodRefusal,
  permissionRefusal,
  type Rights,
  type RightsContext,
  referenceRefusal,
} from "../policy/authorize.ts";
import type { Request } from "../sip/request.ts";
import { refusals } from "./answers.ts";
import type { Context } from "./context.ts";
import type { Leg } from "./leg.ts";

/** Where a request comes from; no leg before the first that was accepted. */
export interface Whence {
  readonly origin: string | undefined;
  readonly leg: Leg | undefined;
  readonly context: Context;
}

/** What starts another call out of a dialog: an ended credential, under which calls go on, is not good for it. */
export const beginsAnew = ({ method, message }: Request): boolean =>
  method === "REFER" || message.header("replaces") !== undefined || message.header("join") !== undefined;

/** The verdicts of a dialog's own requests: method, Contact and references; the dialog itself is judged already. */
export function insideRefusal(identity: Identity, request: Request, whence: Whence): Refusal | undefined {
  const method = request.method === "NOTIFY" ? undefined : methodRefusal(identity, request.method);
  const permission = beginsAnew(request) ? permissionRefusal(identity) : undefined;
  const refusal =
    method ?? permission ?? contactRefusal(request) ?? referenceRefusal(identity, request, rights(whence));
  if (refusal) return refusal;
  return whence.leg?.dialogs.hasRoom("") ? undefined : refusals.tableFull;
}

/** The verdicts of a request that begins something: who may do what, and how much of it. */
export function judgeOutside(identity: Identity, request: Request, whence: Whence): Rights {
  if (request.method === "INVITE" && whence.context.draining()) return { kind: "refused", refusal: refusals.draining };
  const judged = authorize(identity, request, rights(whence));
  if (judged.kind === "refused") return judged;
  const refusal = limitRefusal(identity, request, whence);
  return refusal ? { kind: "refused", refusal } : judged;
}

/** A credential for one conference opens one call at a time. Asked when the call is to go: another may have gone meanwhile. */
export function conferenceRefusal(
  identity: Identity,
  { method, message }: Request,
  { legs }: Pick<Context, "legs">,
): Refusal | undefined {
  if (identity.narrowing.conference === undefined || method !== "INVITE") return undefined;
  return legs.isInCall(identity, message.callId) ? refusals.conferenceBusy : undefined;
}

function rights({ origin, leg, context }: Whence): RightsContext {
  return {
    customers: context.customers(),
    gatewayDomains: context.gatewayDomains(),
    origin,
    allowMissingOrigin: context.allowMissingOrigin(),
    ownsDialog: (callId, one, other) => leg?.dialogs.owns(callId, one, other) ?? false,
  };
}

function limitRefusal(identity: Identity, request: Request, { leg, context }: Whence): Refusal | undefined {
  const { method } = request;
  const { id, limits } = identity.customer;
  const full = leg ? tableRefusal(leg, method) : crowdRefusal(identity, context);
  if (full) return full;
  if (method === "REGISTER" && context.legs.bindsTooMuch(identity, request)) return refusals.registrations;
  if (method !== "INVITE" || limits.calls === 0 || context.legs.callsOf(id) < limits.calls) return undefined;
  return refusals.calls;
}

const tableRefusal = ({ dialogs }: Leg, method: string): Refusal | undefined =>
  dialogs.hasRoom(method) ? undefined : refusals.tableFull;

/** No further leg for this customer, or for this user of it. */
function crowdRefusal(identity: Identity, { legs, connectionsPerUser }: Context): Refusal | undefined {
  const { id, limits } = identity.customer;
  if (limits.connections > 0 && legs.connectionsOf(id) >= limits.connections) return refusals.connections;
  if (limits.connections > 0 && legs.turnsOver(id, limits.connections)) return refusals.turnover;
  const most = connectionsPerUser(id);
  return most > 0 && legs.connectionsOfUser(identity) >= most ? refusals.userConnections : undefined;
}
