import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { corpus } from "../helpers/corpora.ts";
import { call, own, routeSet, slots, target, viaHost } from "./texts.ts";

/** Corpora of messages, one message a file. below: the folder in it; messages: how many there are. */
export const folders = [
  { name: "rfc4475", below: "messages", messages: 51 },
  { name: "rfc5118", below: "wire-crlf", messages: 12 },
  { name: "client-captures", below: "messages", messages: 154 },
] as const;

export interface Seeds {
  /** latin1, adapted and as they are. */
  readonly texts: readonly string[];
  /** How many messages were read, by corpus. */
  readonly from: ReadonlyMap<string, number>;
  /** Corpora that are not there. */
  readonly absent: readonly string[];
}

/** What the corpora hold, each as it is and thrice as alice would have sent it. */
export function readSeeds(): Seeds {
  const from = new Map<string, number>();
  const texts: string[] = [];
  for (const { name, below } of folders) {
    const folder = corpus(name);
    if (folder === undefined) continue;
    const found = messagesIn(join(folder, below));
    from.set(name, found.length);
    for (const text of found) texts.push(text, ...new Array<string>(3).fill(adapted(text)));
  }
  return { texts, from, absent: folders.map(({ name }) => name).filter((name) => !from.has(name)) };
}

const messagesIn = (folder: string): string[] =>
  readdirSync(folder)
    .sort()
    .map((file) => readFileSync(join(folder, file), "latin1"));

/** Methods that exist inside a dialog only. */
const dialogOnly = /^(?:ACK|BYE|INFO|PRACK|UPDATE) /;

/** From alice, through her Via, to a user of hers or in her call: what else is odd about it stays. */
export function adapted(text: string): string {
  const [, head = "", body = ""] = /^([\s\S]*?\r\n)\r\n([\s\S]*)$/.exec(text) ?? [undefined, text];
  const mine = fromAlice(head.replace(/^(?:Proxy-)?Authorization[ \t]*:.*\r\n(?:[ \t].*\r\n)*/gim, ""));
  const placed = dialogOnly.test(mine) ? inCall(mine) : outsideCall(mine);
  const measured = /^(?:Content-Length|l)[ \t]*:/im.test(placed) ? placed : `${placed}Content-Length: 0\r\n`;
  return `${measured.replace(/^((?:Content-Length|l)[ \t]*:[ \t]*)\d+/im, `$1${body.length}`)}\r\n${body}`;
}

const fromAlice = (head: string): string =>
  head
    .replace(/^((?:From|f)[ \t]*:[^<\r]*<)[^>]*/im, `$1sip:${own}`)
    .replace(/^((?:From|f)[ \t]*:[ \t]*)sips?:[^;\s]*/im, `$1sip:${own}`)
    .replace(/^((?:Via|v)[ \t]*:[ \t]*SIP[ \t]*\/[ \t]*2\.0[ \t]*\/[ \t]*\w+[ \t]+)[^;\s,]+/im, `$1${viaHost}`)
    .replace(/^((?:Contact|m)[ \t]*:.*)$/gim, (line) => line.replace(/(sips?:[^@>;\r]*@)[^>;,\s]+/g, `$1${viaHost}`))
    .replace(/branch=z9hG4bK/i, "branch=z9hG4bKSLOT-NR");

function outsideCall(head: string): string {
  const [, method = ""] = /^(\S+) /.exec(head) ?? [];
  const uri = method === "REGISTER" ? "sip:acme.example" : "sip:bob@acme.example";
  const sent = head
    .replace(/^(\S+) \S+ SIP\/2\.0/, `$1 ${uri} SIP/2.0`)
    .replace(/^((?:Call-ID|i)[ \t]*:[ \t]*)\S+/im, "$1SLOT-NR@seed")
    .replace(/^((?:To|t)[ \t]*:[^\r]*);tag=[^;\r]*/im, "$1");
  return method === "REGISTER" ? sent.replace(/^((?:To|t)[ \t]*:[^<\r]*<)[^>]*/im, `$1sip:${own}`) : sent;
}

const inCall = (head: string): string =>
  head
    .replace(/^Route[ \t]*:.*\r\n/gim, "")
    .replace(/^(\S+) \S+ SIP\/2\.0\r\n/, `$1 ${target} SIP/2.0\r\nRoute: ${routeSet.join(", ")}\r\n`)
    .replace(/^((?:Call-ID|i)[ \t]*:[ \t]*)\S+/im, `$1${call.callId}`)
    .replace(/^((?:From|f)[ \t]*:[^\r]*;[ \t]*tag=)[^;\r]*/im, `$1${call.localTag}`)
    .replace(/^(?:To|t)[ \t]*:.*$/im, `To: <sip:far@acme.example>;tag=${slots.farTag}`);
