const compact: ReadonlyMap<string, string> = new Map([
  ["a", "accept-contact"],
  ["b", "referred-by"],
  ["c", "content-type"],
  ["d", "request-disposition"],
  ["e", "content-encoding"],
  ["f", "from"],
  ["i", "call-id"],
  ["j", "reject-contact"],
  ["k", "supported"],
  ["l", "content-length"],
  ["m", "contact"],
  ["n", "identity-info"],
  ["o", "event"],
  ["r", "refer-to"],
  ["s", "subject"],
  ["t", "to"],
  ["u", "allow-events"],
  ["v", "via"],
  ["x", "session-expires"],
  ["y", "identity"],
]);

interface Spelling {
  readonly written: string;
  readonly name: string;
}

/** Names as clients write them, by length and first letter, so that the usual ones are read without a copy. */
const spelled: readonly (readonly Spelling[] | undefined)[] = spellings([
  "Via,Max-Forwards,To,From,Call-ID,CSeq,Contact,Expires,Allow,Supported,User-Agent,Content-Length,Content-Type,Route",
  "Record-Route,Authorization,Proxy-Authorization,Session-Expires,Min-SE,Require,Event,Refer-To,Referred-By,Replaces",
  "X-Postern-Grant,X-Postern-Token,P-Asserted-Identity,WWW-Authenticate,Proxy-Authenticate,Server,Accept,RAck,RSeq",
]);

function spellings(lines: readonly string[]): Spelling[][] {
  const found: Spelling[][] = [];
  for (const written of lines.flatMap((line) => line.split(","))) {
    const slot = slotOf(written.length, written.charCodeAt(0));
    found[slot] = [...(found[slot] ?? []), { written, name: written.toLowerCase() }];
  }
  return Array.from(found, (slot) => slot ?? []);
}

/** Of a name of so many characters that begins with this one. */
function slotOf(length: number, first: number): number {
  return (length << 7) | first;
}

/** The lower-case, long form of the name that stands there (RFC 3261 §7.3.3). */
export function canonical(head: string, start: number, end: number): string {
  const usual = spelled[slotOf(end - start, head.charCodeAt(start))];
  if (usual) for (const { written, name } of usual) if (head.startsWith(written, start)) return name;
  const lower = head.slice(start, end).toLowerCase();
  return compact.get(lower) ?? lower;
}
