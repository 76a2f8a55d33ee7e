import type { Readable } from "node:stream";

/** What Kamailio said of one message: test/fixtures/agreement-report.cfg. */
export interface Report {
  /** MD5 of the message that it is about, as Kamailio got it. */
  readonly md5: string;
  /** Its pseudo-variables by name, one character a byte (latin1). */
  readonly parsed: ReadonlyMap<string, string>;
  /** Whom its shipped routes would believe, and where it would go; undefined where they refused the message. */
  believed: ReadonlyMap<string, string> | undefined;
}

const mark = " AGREEMENT ";
const plain = new Set([
  "port",
  "status",
  "vias",
  "routes",
  "length",
  "body",
  "counts",
  "user",
  "trunk",
  "caller",
  "before",
  "now",
]);

/** Reports by the port that a leg announced, in the order in which Kamailio took the messages. */
export class Reports {
  readonly #byPort = new Map<number, Report[]>();
  /** Of those that the shipped routes took. */
  readonly #ports = new Map<string, number>();
  readonly #waiting = new Map<string, (port: number) => void>();
  /** Of a line, and of a report in several lines. */
  #rest = "";
  #report = "";

  constructor(stream: Readable) {
    stream.on("data", (text: string | Buffer) => this.#take(String(text)));
  }

  /** Of one leg, so far. */
  on(port: number): readonly Report[] {
    return this.#byPort.get(port) ?? [];
  }

  forget(port: number): void {
    for (const { md5 } of this.on(port)) this.#ports.delete(md5);
    this.#byPort.delete(port);
  }

  /** The leg's port, once the shipped routes have taken this message; never, where they do not. */
  taken(md5: string): Promise<number> {
    const port = this.#ports.get(md5);
    if (port !== undefined) return Promise.resolve(port);
    return new Promise((resolve) => this.#waiting.set(md5, resolve));
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      const at = line.indexOf(mark);
      if (at < 0) continue;
      this.#report += line.slice(at + mark.length);
      if (this.#report.endsWith(" .")) this.#whole(this.#report.slice(0, -2));
    }
  }

  #whole(report: string): void {
    this.#report = "";
    const [kind, md5 = "", ...pairs] = report.split(" ");
    const values = fields(pairs);
    const port = Number(values.get("port"));
    if (kind === "parsed") this.#parsed(port, md5, values);
    else this.#believed(port, md5, values);
  }

  #parsed(port: number, md5: string, parsed: ReadonlyMap<string, string>): void {
    const all = this.#byPort.get(port) ?? [];
    all.push({ md5, parsed, believed: undefined });
    this.#byPort.set(port, all);
  }

  #believed(port: number, md5: string, believed: ReadonlyMap<string, string>): void {
    const latest = this.#byPort.get(port)?.at(-1);
    if (latest?.md5 === md5) latest.believed = believed;
    this.#ports.set(md5, port);
    this.#waiting.get(md5)?.(port);
    this.#waiting.delete(md5);
  }
}

function fields(pairs: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const [name, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
    found.set(name, plain.has(name) ? value : Buffer.from(value, "hex").toString("latin1"));
  }
  return found;
}
