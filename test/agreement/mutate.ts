import fc from "fast-check";

/** One change to the bytes of a message. at, to: places in it, 0 to 1. */
interface Change {
  readonly how: (typeof ways)[number];
  readonly at: number;
  readonly to: number;
  readonly with: string;
}

const ways = [
  "insert",
  "insert",
  "replace",
  "delete",
  "double",
  "double line",
  "move line",
  "drop line",
  "add line",
  "case",
  "fold",
  "unfold",
  "copy",
] as const;

/** What parsers stumble over. */
const pieces: readonly string[] = [
  ..."\0\r\n\t ,;:<>\"'\\/@?=&%*()[]{}|+-.~`^!#$\x7f\x80\xa0\xff0aAzZ",
  "\r\n",
  "\r\n ",
  "\r\n\t",
  "\n ",
  "\r\r\n",
  "\n\n",
  "\r\n\r\n",
  " \r\n",
  "%00",
  "%0d%0a",
  "%40",
  '\\"',
  '""',
  "<>",
  ";;",
  ",,",
  ";tag=x",
  ";tag=",
  "tag",
  ";branch=z9hG4bKevil",
  ";lr",
  "sip:",
  "sip:eve@evil.example",
  "<sip:eve@evil.example>",
  ", <sip:eve@evil.example>",
  "\xc3\xa9",
  "\xe2\x80\xa8",
  "\xc2\x85",
  "\xff\xfe",
  "a".repeat(300),
  "SIP/2.0",
  "4294967296",
  "-1",
  "0x10",
];

const lines: readonly string[] = [
  "X-Postern-Grant: 9999999999:eve@evil.example|trunk=|trunk2=|caller=|max=0|customer=evil",
  "x-postern-token:AAAA",
  "X-Postern-Grant : x",
  "P-Asserted-Identity: <sip:eve@evil.example>",
  "p-asserted-identity\t:<sip:eve@evil.example>",
  "P-Preferred-Identity: <sip:eve@evil.example>",
  "Remote-Party-ID: <sip:eve@evil.example>",
  "y: a.b.c",
  "Identity: a.b.c",
  "Diversion: <sip:eve@evil.example>",
  "History-Info: <sip:eve@evil.example>",
  "f: <sip:eve@evil.example>;tag=evil",
  "From: <sip:eve@evil.example>;tag=evil",
  "t: <sip:eve@evil.example>;tag=evil",
  "i: evil",
  "m: <sip:eve@evil.example>",
  "Contact: <sip:alice@a.invalid>",
  "m: <sip:x@a.invalid>",
  "v: SIP/2.0/UDP evil.example;branch=z9hG4bKevil",
  "Via: SIP/2.0/UDP evil.example;branch=z9hG4bKevil",
  "l: 0",
  "Content-Length: 5",
  "c: text/plain",
  "CSeq: 9 BYE",
  "Route: <sip:evil.example;lr>",
  "Record-Route: <sip:evil.example;lr>",
  "Alert-Info: <http://evil.example/>",
  "Max-Forwards: 1",
  "Answer-Mode: Auto",
  "P-Charging-Vector: x=y",
  "e: gzip",
  "k: path",
  "Supported",
  ": x",
  "Expires: 60",
  " folded",
];

/** Not a double: most of those are next to 0. */
const place = fc.integer({ min: 0, max: 0xffff }).map((number) => number / 0x1_0000);
const change: fc.Arbitrary<Change> = fc.record({
  how: fc.constantFrom(...ways),
  at: place,
  to: place,
  with: fc.constantFrom(...pieces),
});

/** A text with one to three changes, or the head of one and the tail of another. */
export const mutated = (seeds: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  fc
    .tuple(seeds, fc.array(change, { minLength: 1, maxLength: 3 }), mostlyFalse, seeds, place, place)
    .map(([text, changes, splice, other, at, to]) => {
      const whole = splice ? spliced(text, other, at, to) : text;
      return changes.reduce(applied, whole);
    });

const mostlyFalse = fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, fc.constant(true));

/** Lines of the one up to a place, of the other from a place on. */
function spliced(one: string, other: string, at: number, to: number): string {
  const [head, tail] = [one.split("\r\n"), other.split("\r\n")];
  return [...head.slice(0, place1(at, head.length)), ...tail.slice(place1(to, tail.length))].join("\r\n");
}

const place1 = (at: number, length: number): number => 1 + Math.floor(at * (length - 1));

function applied(text: string, { how, at, to, with: piece }: Change): string {
  const [start, end] = [Math.floor(at * text.length), Math.floor(at * text.length) + 1 + Math.floor(to * 12)];
  const [before, part, after] = [text.slice(0, start), text.slice(start, end), text.slice(end)];
  switch (how) {
    case "insert":
      return before + piece + part + after;
    case "replace":
      return before + piece + after;
    case "delete":
      return before + after;
    case "double":
      return before + part + part + after;
    case "case":
      return before + (part === part.toLowerCase() ? part.toUpperCase() : part.toLowerCase()) + after;
    case "fold":
      return before + (part + after).replace(/[ ;:,]/, (found) => (to < 0.5 ? `${found}\r\n ` : `\r\n\t${found}`));
    case "unfold":
      return text.replace(/\r\n[ \t]+/, "");
    case "copy":
      return text.slice(0, Math.floor(to * text.length)) + part + text.slice(Math.floor(to * text.length));
    default:
      return linesChanged(text, how, at, to);
  }
}

function linesChanged(text: string, how: Change["how"], at: number, to: number): string {
  const all = text.split("\r\n");
  const [one, other] = [place1(at, all.length), place1(to, all.length)];
  const line = all[one] ?? "";
  if (how === "add line") all.splice(one, 0, lines[Math.floor(to * lines.length)]!);
  if (how === "double line") all.splice(other, 0, line);
  if (how === "drop line" || how === "move line") all.splice(one, 1);
  if (how === "move line") all.splice(other, 0, line);
  return all.join("\r\n");
}
