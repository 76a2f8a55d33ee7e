import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { Customer, Identity } from "../../../src/core/identity.ts";
import { rewriteRequest, rewriteResponse } from "../../../src/gateway/forward.ts";
import { parse } from "../../../src/gateway/parse.ts";
import type { Message } from "../../../src/sip/message.ts";
import { type ReadRequest, type Request, readRequest } from "../../../src/sip/request.ts";
import { scan } from "../../../src/sip/scan.ts";
import { describeCorpus } from "../../helpers/corpora.ts";

/** How a message fares: `ok`, or why not, and by whom. */
function fate(bytes: Buffer): string {
  const result = scan(bytes);
  if (result.kind === "malformed") return `scan: ${result.reason}`;
  if (!result.message.isRequest) return "ok";
  const read = readRequest(result.message);
  return read.kind === "request" ? "ok" : `read: ${read.reason}`;
}

const identity: Identity = {
  customer: {} as Customer,
  user: "alice",
  domain: "acme.example",
  provedBy: { id: "k1", secret: "", algorithm: "sha1" },
  expiry: 0,
  narrowing: {},
  names: [],
};
const grant = "X-Postern-Grant: g\r\nX-Postern-Token: t\r\n";
const cap = 77;

/** What contract.md names, by lines: nothing of the scanner's is used here. */
function expected(text: string, inDialog: boolean): string {
  const end = text.indexOf("\r\n\r\n");
  const [start = "", ...fields] = text.slice(0, end).split(/\r\n(?![ \t])/);
  const nameOf = (field: string): string => /^([^:\s]+)/.exec(field)?.[1]?.toLowerCase() ?? "";
  const gone = /^(x-postern-.*|p-charging-.*|p-asserted-identity|p-preferred-identity|remote-party-id|diversion)$/;
  const gone2 =
    /^(history-info|identity|y|alert-info|answer-mode|record-route|path|authorization|proxy-authorization)$/;
  const kept = fields.filter((field) => {
    const name = nameOf(field);
    return !gone.test(name) && !gone2.test(name) && (name !== "route" || inDialog);
  });
  const method = start.split(" ")[0] ?? "";
  const asserted = ["REGISTER", "ACK", "CANCEL"].includes(method)
    ? []
    : ["P-Asserted-Identity: <sip:alice@acme.example>"];
  const capped = method === "REGISTER" ? kept.map(lowered) : kept;
  const head = [start, ...grant.trimEnd().split("\r\n"), ...asserted, ...capped];
  const contacts = kept.filter((field) => ["contact", "m"].includes(nameOf(field)) && !/:\s*\*$/.test(field));
  const bare = contacts.some((field) => !/;\s*expires/i.test(field)) && !kept.some((f) => nameOf(f) === "expires");
  if (method === "REGISTER" && bare) head.push(`Expires: ${cap}`);
  return head.join("\r\n") + text.slice(end);
}

function lowered(field: string): string {
  if (!/^(expires|contact|m)\s*:/i.test(field) || /^\S+\s*:\s*\*$/.test(field)) return field;
  return field.replace(/(expires\s*[:=]\s*)(\d+)/gi, (all, before: string, value: string) =>
    Number(value) > cap ? before + cap : all,
  );
}

function rewritten(request: Request, inDialog = false): string {
  const { message } = request;
  const credentials = message.headers.filter(({ name }) => name.endsWith("authorization"));
  const capSeconds = request.method === "REGISTER" ? cap : undefined;
  const outgoing = { request, identity, lines: grant, inDialog, credentials, passHeaders: undefined, capSeconds };
  return rewriteRequest(outgoing).toString("latin1");
}

function check(bytes: Buffer): void {
  const text = bytes.toString("latin1");
  const result = scan(bytes);
  if (result.kind === "malformed") return;
  const read: ReadRequest | undefined = result.message.isRequest ? readRequest(result.message) : undefined;
  if (read?.kind === "request") {
    expect(rewritten(read.request)).toBe(expected(text, false));
    expect(rewritten(read.request, true)).toBe(expected(text, true));
  }
  if (!result.message.isRequest)
    expect(rewriteResponse(result.message).toString("latin1")).toBe(answer(text, result.message));
}

function answer(text: string, { status }: Message): string {
  return Math.floor(status / 100) === 3 ? text.replace(/\r\n(Contact|m)[ \t]*:.*(\r\n[ \t].*)*/gi, "") : text;
}

describeCorpus("rfc4475", 51, (folder) => {
  /** Everything but these is fit to pass; each reason is one that a verdict needs, or one of our bounds. */
  const refused: Readonly<Record<string, RegExp>> = {
    wsinv: /(from|to) is folded/,
    intmeth: /start line/,
    esc02: /start line/,
    longreq: /From: the parameters/,
    dblreq: /one message in each frame/,
    badinv01: /topmost Via/,
    clerr: /Content-Length is more than/,
    ncl: /Content-Length is not a number/,
    scalar02: /CSeq/,
    scalarlg: /CSeq/,
    quotbal: /To: the display name's quotes/,
    ltgtruri: /start line/,
    lwsruri: /start line/,
    lwsstart: /start line/,
    trws: /start line/,
    escruri: /header fields after \?/,
    regbadct: /Contact cannot be read/,
    badaspec: /To: white space/,
    baddn: /empty line .* missing/,
    "baddn.terminated": /From: the display name/,
    badvers: /start line/,
    mismatch01: /CSeq method/,
    mismatch02: /CSeq method/,
    bigcode: /start line/,
    badbranch: /topmost Via/,
    insuf: /no from/,
    multi01: /more than one/,
    mcl01: /more than one content-length/,
    regescrt: /Contact cannot be read/,
    inv2543: /without Content-Length/,
    test: /start line/,
    unksm2: /no sip, sips or tel URI/,
  };
  const files = readdirSync(join(folder, "messages"));
  const read = (file: string): Buffer => readFileSync(join(folder, "messages", file));

  it("has 51 messages, of which these are refused", () => {
    expect(files).toHaveLength(51);
    const names = files.filter((file) => fate(read(file)) !== "ok").map((file) => file.replace(/\.dat$/, ""));
    expect(names.toSorted()).toEqual(Object.keys(refused).toSorted());
  });

  it.each(files)("%s is refused with its reason, or passes unchanged but for the named fields", (file) => {
    const bytes = read(file);
    expect(fate(bytes)).toMatch(refused[file.replace(/\.dat$/, "")] ?? /^ok$/);
    check(bytes);
    expect(parse(bytes, 0).kind).not.toBe("keep-alive");
  });

  interface Case {
    readonly file: string;
    readonly rfc_class: string;
  }
  const manifest = JSON.parse(readFileSync(join(folder, "manifest.json"), "utf8")) as Case[];
  const invalid = manifest.filter(({ rfc_class }) => /^invalid( response)?$/.test(rfc_class));

  it.each(invalid)("$file is invalid by the RFC and never passes", ({ file }) => {
    expect(fate(readFileSync(join(folder, file)))).not.toBe("ok");
  });

  it("covers every invalid case of the manifest", () => expect(invalid).toHaveLength(18));
});

describeCorpus("rfc5118", 24, (folder) => {
  const wire = (name: string): Buffer => readFileSync(join(folder, "wire-crlf", name));
  const names = readdirSync(join(folder, "wire-crlf"));
  /** Three bodies are longer than their Content-Length says; one Request-URI has no brackets. */
  const refused: Readonly<Record<string, RegExp>> = {
    "ipv4-mapped-ipv6.dat": /one message in each frame/,
    "ipv6-in-sdp.dat": /one message in each frame/,
    "mult-ip-in-sdp.dat": /one message in each frame/,
    "ipv6-bad.dat": /cannot be read as a URI/,
  };

  it.each(names)("%s as sent is refused with its reason, or passes unchanged but for the named fields", (name) => {
    expect(fate(wire(name))).toMatch(refused[name] ?? /^ok$/);
    check(wire(name));
  });

  it.each(names)("%s passes where its Content-Length is mended, unless its Request-URI is bad", (name) => {
    const [head = "", body = ""] = wire(name).toString("latin1").split("\r\n\r\n");
    const bytes = Buffer.from(
      `${head.replace(/(Content-Length|l): *\d+/i, `$1: ${body.length}`)}\r\n\r\n${body}`,
      "latin1",
    );
    expect(fate(bytes)).toBe(name === "ipv6-bad.dat" ? `read: ${uriReason}` : "ok");
    check(bytes);
  });
  const uriReason = "the Request-URI, From or To cannot be read as a URI";

  it("reads an IPv6 host and port as the RFC says", () => {
    const uri = (name: string): object => {
      const result = parse(wire(`${name}.dat`), 0);
      return result.kind === "request" ? result.request.uri : {};
    };
    expect(uri("port-ambiguous")).toMatchObject({ host: "[2001:db8::10:5070]", port: undefined });
    expect(uri("port-unambiguous")).toMatchObject({ host: "[2001:db8::10]", port: 5070 });
  });

  it.each(readdirSync(join(folder, "archive-lf")))(
    "%s as archived, its lines ended by LF alone, is refused",
    (name) => {
      expect(fate(readFileSync(join(folder, "archive-lf", name)))).toBe("scan: a bare LF in the start line");
    },
  );
});

interface Capture {
  readonly file: string;
  readonly profile: string;
  readonly kind: string;
}

describeCorpus("client-captures", 154, (folder) => {
  const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as Capture[];
  const read = ({ file }: Capture): Buffer => readFileSync(join(folder, "messages", file));

  it("has 154 messages", () => expect(index).toHaveLength(154));

  it.each(index)("$file scans, and passes byte for byte but for the named fields", (capture) => {
    const bytes = read(capture);
    const result = scan(bytes);
    if (result.kind === "malformed") return expect.fail(result.reason);
    expect(result.message.method).toBe(capture.kind);
    if (capture.profile !== "eph-in-uri") expect(fate(bytes)).toBe("ok");
    check(bytes);
  });

  it.each(index.filter(({ profile }) => profile === "eph-in-uri"))("$file is told what to do instead", (capture) => {
    const parsed = parse(read(capture), 30_000);
    const sentence =
      "a URI holds user:password; give the plain user, as in sip:alice@acme.example, and the credential apart";
    if (capture.kind === "ACK") return expect(parsed).toEqual({ kind: "dropped", reason: sentence });
    expect(parsed).toMatchObject({
      kind: "refused",
      refusal: { code: "message-malformed", sentence: `${sentence}.` },
      head: { method: capture.kind },
    });
  });
});
