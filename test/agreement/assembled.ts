import fc from "fast-check";
import { extra } from "./extras.ts";
import { type Field, mostly, written } from "./spelling.ts";

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
export function assembled(start: string, fields: readonly fc.Arbitrary<Field[]>[]): fc.Arbitrary<string> {
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
      return fc.tuple(...shuffled(all, order).map(written)).map((lines) => [start, ...lines, "", body].join("\r\n"));
    });
}

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
