import fc from "fast-check";
import { assembled } from "./assembled.ts";
import { referTo } from "./extras.ts";
import { callId, contacts, cseq, from, maxForwards, routes, to, vias } from "./fields.ts";
import { any, type Field, listed, mostly, often } from "./spelling.ts";
import { call, incomingCall, incomingRoute, own, routeSet, slots, target } from "./texts.ts";

const outsideMethods = any("OPTIONS", "MESSAGE", "INVITE", "SUBSCRIBE", "PUBLISH", "NOTIFY", "OPTIONS", "MESSAGE");
const outsideUris = mostly(
  "sip:bob@acme.example",
  "sip:bob@ACME.example",
  "SIP:bob@acme.example",
  "sip:bob@acme.example;transport=ws",
  "sip:bob@acme.example;user=ip",
  "sip:%62ob@acme.example",
  "sip:12@acme.example",
  "sip:+3225887001@acme.example",
  "sip:+32-2-588.70(01)@acme.example;user=phone",
  "sip:003225887001@acme.example",
  "tel:+3225887001",
  "tel:+32-2-588-7001",
  "TEL:+3225887001",
  "sip:bob@acme.example:5060",
  "sip:bob@acme.example?Subject=x",
  "sip:bo%40b@acme.example",
  "sip:b'o!b~@acme.example",
  "sip:b$o&b=+@acme.example",
);

/** Requests outside dialogs. */
const outside = outsideMethods.chain((method) =>
  parts(
    fc.oneof(
      { weight: 4, arbitrary: outsideUris },
      any(method === "OPTIONS" ? "sip:acme.example" : "sip:bob@acme.example"),
    ),
    method,
    [vias, one(from()), one(to()), one(callId()), one(cseq(method)), contacts, maxForwards],
  ),
);

const register = parts(mostly("sip:acme.example", "sip:ACME.EXAMPLE", "SIP:acme.example"), "REGISTER", [
  vias,
  one(from()),
  one(to(mostly(`sip:${own}`, "SIP:alice@acme.example", "sip:alice@ACME.example"))),
  one(callId()),
  one(cseq("REGISTER")),
  fc.oneof({ weight: 6, arbitrary: contacts }, fc.constant<Field[]>([{ name: "Contact", value: "*" }])),
  maxForwards,
]);

/** Requests inside the call that stands. */
const insideMethods = any(
  "INFO",
  "UPDATE",
  "MESSAGE",
  "INVITE",
  "PRACK",
  "NOTIFY",
  "ACK",
  "REFER",
  "REFER",
  "BYE",
  "OPTIONS",
);
const inside = insideMethods.chain((method) =>
  parts(mostly(target, "sip:far@198.51.100.7:5070;x=y", "SIP:far@198.51.100.7:5070"), method, [
    vias,
    one(from(`;tag=${call.localTag}`)),
    one(to(any("sip:far@acme.example"), `;tag=${slots.farTag}`)),
    one(callId(call.callId)),
    one(cseq(method, any("2", "3", "99", "007"))),
    contacts,
    maxForwards,
    routes(routeSet),
    method === "REFER" ? referTo : fc.constant<Field[]>([]),
  ]),
);

/** What follows the call's INVITE by its branch. */
const cancel = parts(fc.constant("sip:far@acme.example"), "CANCEL", [
  fc.constant<Field[]>([{ name: "Via", value: `SIP/2.0/WS a.invalid;branch=${slots.branch}` }]),
  one(from(`;tag=${call.localTag}`)),
  one(to(any("sip:far@acme.example"))),
  one(callId(call.callId)),
  one(cseq("CANCEL", any("1", "01", "001"))),
  maxForwards,
]);

/** A final one ends the call that rings, and with it what can be answered. */
const statuses = often(
  "180 Ringing",
  "183 Session Progress",
  "183 ",
  "199 \xe2\x82\xac",
  "100 Trying, SIP/2.0",
  "180 a;b",
  "200 OK",
  "302 Moved",
);

/** Answers to the call that rings. */
const response = fc.tuple(statuses, fc.boolean(), fc.boolean()).chain(([status, together, routed]) =>
  assembled(`SIP/2.0 ${status}`, [
    fc.constant(listed("Via", [slots.kamailioVia, slots.farVia], together)),
    one(
      any("", '"C, <x>" ', "Caller ").map((display) => ({
        name: "From",
        value: `${display}<sip:caller@pbx.example>;tag=${incomingCall.tag}`,
      })),
    ),
    one(to(any(`sip:${own}`), ";tag=SLOT-NR")),
    one(callId(incomingCall.callId)),
    one(cseq("INVITE", any("7", "007"))),
    contacts,
    fc.constant(routed ? [{ name: "Record-Route", value: incomingRoute }] : []),
  ]),
);

/** A valid message, or one as near to it as clients go wrong. */
export const message: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: outside },
  { weight: 2, arbitrary: register },
  { weight: 3, arbitrary: inside },
  { weight: 1, arbitrary: cancel },
  { weight: 2, arbitrary: response },
);

function one(field: fc.Arbitrary<Field>): fc.Arbitrary<Field[]> {
  return field.map((only) => [only]);
}

function parts(
  uri: fc.Arbitrary<string>,
  method: string,
  fields: readonly fc.Arbitrary<Field[]>[],
): fc.Arbitrary<string> {
  return uri.chain((target) => assembled(`${method} ${target} SIP/2.0`, fields));
}
