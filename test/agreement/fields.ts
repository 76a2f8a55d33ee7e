import fc from "fast-check";
import { any, type Field, fieldOf, join, listed, mostly, often } from "./spelling.ts";
import { own, viaHost } from "./texts.ts";

const display = any(
  "",
  "",
  "",
  '"Alice" ',
  "Alice ",
  "Alice Smith ",
  '"Al\\"ice, <sip:eve@evil.example>;tag=evil" ',
  '"\xc3\x84lice" ',
  '"a\\x" ',
  '"" ',
  "a*.!%_+`'~- ",
  '"semi;colon" ',
  `"${"d".repeat(1_500)}" `,
);

const params = any(
  "",
  "",
  "",
  ";x=y",
  ";x",
  ';x="a;tag=evil"',
  ';x="<sip:eve@evil.example>"',
  " ; x = y",
  ";x=[2001:db8::1]",
  ';x="\xe2\x82\xac"',
  ';x="a,b"',
  ";X=%22",
  ";ta=1;tagg=2;xtag=3",
);

/** A name-addr or addr-spec with its parameters. */
const address = (uri: fc.Arbitrary<string>, tag: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 6, arbitrary: join(display, "<", uri, ">", params, tag, params.map(other)) },
    { weight: 1, arbitrary: join(uri.map(bare), params, tag) },
  );

/** No parameter twice. */
const other = (text: string): string => text.replaceAll("x", "y").replaceAll("X", "Y").replaceAll("ta", "tu");
const bare = (uri: string): string => uri.split(/[;?]/, 1)[0]!;

const ownUri = mostly(`sip:${own}`, "SIP:alice@acme.example", "sip:alice@ACME.Example");

const otherUri = any(
  "sip:bob@acme.example",
  "sip:bob@acme.example",
  "sip:bob@acme.example;transport=ws",
  "sip:bob@ACME.example:5060",
  "sips:bob@acme.example",
  "sip:acme.example",
  "sip:%62ob@acme.example",
  "sip:b&=+$,;?/ob@acme.example",
  "sip:bob;x=y@acme.example;lr",
  "sip:bob@[2001:db8::1]:5062;transport=udp",
  "sip:bob@192.0.2.1",
  "sip:bob@acme.example?Subject=x&Priority=y",
  "sip:+3225887001@acme.example;user=phone",
  "tel:+3225887001",
  "tel:5887001;phone-context=+322",
  "TEL:+32-2-588.70(01)",
  "sip:bob@acme.example;x=%20;y=[::1];z",
  "sip:bob@acme.example.",
  "sip:bob@acme-x.example;maddr=192.0.2.1",
);

/** tag: a whole `;tag=…` or nothing. */
export const from = (tag = ";tag=SLOT-NR"): fc.Arbitrary<Field> =>
  fieldOf("From", address(ownUri, mostly(tag, tag.replace("=", " = "), ` ${tag}`, tag.replace("tag", "TAG"))));

export const to = (uri: fc.Arbitrary<string> = otherUri, tag = ""): fc.Arbitrary<Field> =>
  fieldOf("To", address(uri, fc.constant(tag)));

export const callId = (id = "SLOT-NR@agreement"): fc.Arbitrary<Field> =>
  id.startsWith("SLOT")
    ? fieldOf(
        "Call-ID",
        any(id, "SLOT-NR", 'a<b>"c"SLOT-NR', "SLOT-NR{}[]/?", "SLOT-NR:;,@x.example", `SLOT-NR${"i".repeat(240)}`),
      )
    : fieldOf("Call-ID", fc.constant(id));

export const cseq = (method: string, number = any("1", "2", "007", "2147483646", "0")): fc.Arbitrary<Field> =>
  fieldOf("CSeq", join(number, mostly(" ", "  ", "\t"), method));

const viaStart = mostly("SIP/2.0/WS ", "SIP/2.0/WSS ", "SIP / 2.0 / WS ", "SIP/2.0/TCP ", "SIP/2.0/WS\t");
const viaParams = mostly(
  "",
  ";rport",
  ";received=192.0.2.7",
  ";x=y",
  ';x="a,b"',
  ';x="a;b"',
  ";ttl=1;maddr=192.0.2.1",
  ";alias",
);
const branch = mostly(
  ";branch=z9hG4bKSLOT-NR",
  " ; branch = z9hG4bKSLOT-NR",
  ";BRANCH=z9hG4bKSLOT-NR",
  `;branch=z9hG4bKSLOT-NR${"b".repeat(230)}`,
);
const lowerVia = any(
  "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx",
  "SIP/2.0/TCP [2001:db8::9]:5060;branch=z9hG4bKy;received=[2001:db8::9]",
  "SIP/2.0/WS evil.invalid;branch=z9hG4bKz",
  "SIP/2.0/UDP 192.0.2.9",
  'SIP/2.0/UDP 192.0.2.9;x="<a>;b"',
);

/** One to three Vias, in one field or several. */
export const vias: fc.Arbitrary<Field[]> = fc
  .tuple(
    join(viaStart, mostly(viaHost, "A.invalid", `${viaHost}:5060`), viaParams, branch),
    fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, fc.array(lowerVia, { maxLength: 2 })),
    fc.boolean(),
  )
  .map(([top, lower, together]) => listed("Via", [top, ...lower], together));

const contactUri = any(
  `sip:alice@${viaHost};transport=ws`,
  `sip:alice@${viaHost};transport=ws`,
  `sip:x7@${viaHost}`,
  `sip:${viaHost}`,
  `sips:alice@${viaHost}:5061`,
  `sip:al%20ice@${viaHost};ob`,
  `sip:alice;p=q@${viaHost}`,
  `SIP:alice@A.INVALID`,
);
const contactParams = often(
  "",
  ";expires=60",
  ";expires=99999",
  " ; expires = 0060",
  ";EXPIRES=60",
  ";expires=0",
  ';expires="60"',
  ";expires",
  ";expires=60;q=0.5",
  ";x='a;expires=99999",
  ';x="\\";expires=99999";expires=30',
  ';+sip.instance="<urn:uuid:1>"',
  ";q=0.5",
  ";reg-id=1",
  ';x="a,b"',
  ';methods="INVITE,BYE"',
  `;x="${"p".repeat(2_000)}"`,
);

/** No Contact, or one to three, in one field or several. */
export const contacts: fc.Arbitrary<Field[]> = fc
  .tuple(
    fc.array(join(display, "<", contactUri, ">", contactParams), { maxLength: 3 }),
    fc.boolean(),
    mostly("", contactUriBare()),
  )
  .map(([all, together, one]) => listed("Contact", one === "" ? all : [one], together));

function contactUriBare(): string {
  return `sip:alice@${viaHost};expires=30`;
}

export const maxForwards: fc.Arbitrary<Field[]> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Field[]>([{ name: "Max-Forwards", value: "70" }]) },
  any<Field[]>([], [{ name: "Max-Forwards", value: "070" }], [{ name: "Max-Forwards", value: "255" }]),
);

/** Routes of the dialog, or some that are not asked for. */
export const routes = (set: readonly string[]): fc.Arbitrary<Field[]> =>
  fc.boolean().map((together) => listed("Route", set, together));
