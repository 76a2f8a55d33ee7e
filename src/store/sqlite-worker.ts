import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { sentenceOf } from "./sqlite-fault.ts";
import { SqliteFile } from "./sqlite-file.ts";
import type { Asked, Opening, Told } from "./sqlite-messages.ts";

/** Milliseconds between looks at whether another process has changed the database. */
const lookEvery = 200;

/** The thread that waits for the disk, so that the data path does not. */
function run(port: MessagePort, opening: Opening): void {
  const tell = (told: Told): void => port.postMessage(told);
  const file = open(opening, tell);
  if (!file) {
    port.close();
    return;
  }
  const timer = watch(file, tell);
  port.on("message", (asked: Asked) => {
    tell(answer(asked, file));
    if (asked.call.name !== "close") return;
    clearInterval(timer);
    port.close();
  });
  tell({ kind: "opened" });
}

function open(opening: Opening, tell: (told: Told) => void): SqliteFile | undefined {
  try {
    return new SqliteFile(opening);
  } catch (error) {
    tell({ kind: "unusable", sentence: sentenceOf(error) });
    return undefined;
  }
}

/** Tells what other processes change, and when nothing can be read any more. */
function watch(file: SqliteFile, tell: (told: Told) => void): NodeJS.Timeout {
  let troubled = false;
  const look = (): void => {
    try {
      if (file.isChanged()) tell({ kind: "event", event: { kind: "changed" } });
      if (troubled) tell({ kind: "event", event: { kind: "well" } });
      troubled = false;
    } catch (error) {
      if (!troubled) tell({ kind: "event", event: { kind: "troubled", sentence: sentenceOf(error) } });
      troubled = true;
    }
  };
  return setInterval(look, lookEvery);
}

function answer({ number, call }: Asked, file: SqliteFile): Told {
  try {
    return { kind: "answer", number, value: resultOf(call, file) };
  } catch (error) {
    return { kind: "failed", number, sentence: sentenceOf(error) };
  }
}

function resultOf(call: Asked["call"], file: SqliteFile): unknown {
  switch (call.name) {
    case "changes":
      return file.changes(call.since);
    case "get":
      return file.get(call.id);
    case "list":
      return file.list(call.after, call.limit);
    case "taken":
      return file.taken(call.claims);
    case "write":
      return file.write(call.edits, call.act);
    case "audit.append":
      return file.append(call.acts);
    case "audit.read":
      return file.audit(call.query);
    case "audit.head":
      return file.auditHead();
    case "audit.keys":
      return file.auditKeys();
    case "calls.write":
      return file.calls.write(call.entries, call.alive);
    case "calls.find":
      return file.calls.find(call.filter);
    case "calls.takeOver":
      return file.calls.takeOver(call.by, call.silentSince);
    case "calls.settle":
      return file.calls.settle(call.ids);
    case "calls.forget":
      return file.calls.forget(call.before, call.most);
    case "uses.add":
      return file.addUses(call.uses);
    case "uses.of":
      return file.uses(call.customer);
    case "quality.write":
      return file.quality.write(call.pieces);
    case "quality.find":
      return file.quality.find(call.filter);
    case "quality.of":
      return file.quality.of(call.conferences);
    case "quality.forget":
      return file.quality.forget(call.before, call.most);
    case "signingKeys.all":
      return file.signingKeys();
    case "signingKeys.change":
      return file.changeSigningKeys(call.change, call.act);
    case "close":
      return file.close();
  }
}

if (parentPort) run(parentPort, workerData as Opening);
