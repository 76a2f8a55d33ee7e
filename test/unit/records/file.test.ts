import { mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { RecordFile } from "../../../src/records/file.ts";
import { ended, fakeLog, ringing } from "../../helpers/call-records.ts";
import { temporaryDir } from "../../helpers/temporary.ts";

let folder: string;
let path: string | undefined;
let lost = 0;
let logged: ReturnType<typeof fakeLog>;
let file: RecordFile;

beforeEach(() => {
  folder = temporaryDir("records");
  path = join(folder, "calls.jsonl");
  [lost, logged] = [0, fakeLog()];
  file = new RecordFile({
    path: () => path,
    log: logged.log,
    lost: (count) => {
      lost += count;
    },
  });
});
afterEach(async () => {
  await file.close();
  rmSync(folder, { recursive: true });
});

const lines = (of: string): unknown[] =>
  readFileSync(of, "utf8")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as unknown);

const call = (at = 0) => ended(ringing(at));

describe("the file of call records", () => {
  it("has a line for each, and is nobody else's to read", async () => {
    const [one, two] = [call(0), call(1)];
    file.add(one);
    await file.flush();
    file.add(two);
    await file.flush();
    expect(lines(path!)).toEqual([one, two]);
    expect(statSync(path!).mode & 0o777).toBe(0o600);
  });

  it("is made anew where it was moved away, and nothing is lost between", async () => {
    file.add(call(0));
    await file.flush();
    renameSync(path!, `${path}.1`);
    file.add(call(1));
    await file.flush();
    expect([lines(`${path}.1`).length, lines(path!).length]).toEqual([1, 1]);
  });

  it("is another one where the config says so", async () => {
    file.add(call(0));
    await file.flush();
    path = join(folder, "other.jsonl");
    file.add(call(1));
    await file.flush();
    expect(lines(path)).toHaveLength(1);
  });

  it("takes nothing where there is none", async () => {
    path = undefined;
    file.add(call());
    await file.flush();
    expect(file.waiting).toBe(0);
  });

  it("waits for a disk that takes nothing, says so once, and begins a new line after that", async () => {
    const there = path!;
    path = join(folder, "away", "calls.jsonl");
    file.add(call(0));
    await file.flush();
    file.add(call(1));
    await file.flush();
    mkdirSync(join(folder, "away"));
    await file.flush();
    expect(lines(path)).toHaveLength(2);
    expect(readFileSync(path, "utf8").startsWith("\n{")).toBe(true);
    expect(logged.lines.map(([level, line]) => `${level} ${line}`)).toEqual([
      "error call records cannot be written to their file",
      "info call records are written to their file again",
    ]);
    path = there;
  });

  it("keeps so many lines for it, and counts what it cannot keep", () => {
    for (let at = 0; at < 10_003; at++) file.add(call(at));
    expect([file.waiting, lost]).toEqual([10_000, 3]);
    path = undefined;
  });
});
