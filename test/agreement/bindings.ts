import type { Message } from "../../src/sip/message.ts";
import { readContacts } from "../../src/sip/request.ts";
import { tokenSeconds } from "./arena.ts";
import type { Difference } from "./expected.ts";

/** Seconds: clocks are read in whole ones. */
const slack = 1;
/** Kamailio's own longest, kamailio/kamailio.cfg. */
const longest = 3600;

/** Where Kamailio's registrar keeps other addresses than Postern let through, or keeps them longer. got: a request. */
export function bindingFault(got: Message, believed: ReadonlyMap<string, string>): Difference | undefined {
  if (got.method !== "REGISTER") return undefined;
  const contacts = readContacts(got);
  const text = believed.get("bindings") ?? "";
  // The registrar's clock is read between these two, however long that takes.
  const [before, now] = [Number(believed.get("before")), Number(believed.get("now"))];
  // The client is told: of a `*` that is not to end now, of a reg-id that is none.
  if (text === "refused") return undefined;
  if (contacts === undefined || contacts === "*") return text === "" ? undefined : differ("", text);
  const wanted = contacts.map(({ address: { uri, params } }) => ({
    uri,
    seconds: secondsOf(got, params),
    instance: params.get("+sip.instance"),
  }));
  const kept = text.split("\n").filter(Boolean).map(bindingIn);
  const same = kept.every(({ uri, until }) =>
    wanted.some(
      ({ uri: own, seconds }) =>
        own === uri && until >= before + seconds - slack && until <= now + seconds + slack && seconds <= tokenSeconds,
    ),
  );
  const all = wanted.every(({ uri, seconds }) => {
    // Of two with one instance the later one replaces the other (RFC 5626); two of one URI are one binding.
    const instances = wanted.filter((one) => one.uri === uri).map(({ instance }) => instance);
    const replaced = wanted.some(
      (one) => one.uri !== uri && one.instance !== undefined && instances.includes(one.instance),
    );
    return seconds === 0 || replaced || kept.some((one) => one.uri === uri);
  });
  return same && all ? undefined : differ(JSON.stringify(wanted), JSON.stringify({ kept, before, now }));
}

const differ = (postern: string, kamailio: string): Difference => ({ field: "bindings", postern, kamailio });

function secondsOf(got: Message, params: ReadonlyMap<string, string>): number {
  const header = got.header("expires");
  return Math.min(longest, Number(params.get("expires") ?? (header && got.value(header))));
}

function bindingIn(line: string): { readonly uri: string; readonly until: number } {
  const space = line.lastIndexOf(" ");
  return { uri: line.slice(0, space), until: Number(line.slice(space + 1)) };
}
