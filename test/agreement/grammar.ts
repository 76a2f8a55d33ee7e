import fc from "fast-check";
import { extra, referTo } from "./extras.ts";
import {
  any,
  callId,
  contacts,
  cseq,
  type Field,
  from,
  listed,
  maxForwards,
  mostly,
  often,
  routes,
  to,
  vias,
  written,
} from "./fields.ts";
import { call, incomingCall, incomingRoute, own, routeSet, slots, target } from "./texts.ts";

/** The parts of a message, and how they are put together. */
interface Parts {
  readonly start: string;
  readonly fields: readonly Field[];
  readonly body: string;
}

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

const bodies = mostly(
  "",
  "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n",
  "\xc3\xa4\xe2\x82\xac\x00\xff",
  "\r\n\r\n",
  "INVITE sip:eve@evil.example SIP/2.0\r\nX-Postern-Grant: x\r\n\r\n",
  "P-Asserted-Identity: <sip:eve@evil.example>\r\n",
  "b".repeat(20_000),
);

const lengths = mostly("exact", "zeros", "none", "short", "long", "folded", "spaces");

/** Start line, fields in any order, body. */
function assembled(start: string, fields: readonly fc.Arbitrary<Field[]>[]): fc.Arbitrary<string> {
  const extras = fc.oneof(
    { weight: 40, arbitrary: fc.array(extra, { maxLength: 5 }) },
    extra.map((field) => new Array<Field[]>(200).fill(field)),
  );
  const twice = mostly(-1, 0, 1, 2, 3, 4, 5, 6);
  return fc
    .tuple(fc.tuple(...fields), extras, bodies, lengths, fc.integer(), twice)
    .chain(([lists, more, body, length, order, again]) => {
      const doubled = lists[again]?.slice(0, 1) ?? [];
      const all = [...lists, ...more, lengthField(length, body), doubled].flat();
      return fc.tuple(...shuffled(all, order).map(written)).map((lines) => text({ start, fields: [], body }, lines));
    });
}

const text = ({ start, body }: Parts, lines: readonly string[]): string => [start, ...lines, "", body].join("\r\n");

function lengthField(form: string, body: string): Field[] {
  const forms: Readonly<Record<string, string>> = {
    exact: `${body.length}`,
    zeros: `00${body.length}`,
    short: `${Math.max(0, body.length - 1)}`,
    long: `${body.length + 1}`,
    folded: `\r\n ${body.length}`,
    spaces: `\t ${body.length} `,
  };
  const value = forms[form];
  return value === undefined ? [] : [{ name: "Content-Length", value }];
}

/** In the usual order half of the time, else in any. */
function shuffled(fields: readonly Field[], order: number): Field[] {
  const all = [...fields];
  if (order % 2 === 0) return all;
  let state = order >>> 0;
  for (let at = all.length - 1; at > 0; at--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const with_ = state % (at + 1);
    [all[at], all[with_]] = [all[with_]!, all[at]!];
  }
  return all;
}
