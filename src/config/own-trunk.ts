import { at, texts } from "./collect.ts";
import type { Faults, Path } from "./faults.ts";
import { isLoopback, type Listen, parseListen } from "./listen.ts";
import { defaultListen } from "./schema.ts";
import type { Value } from "./walk.ts";

/** Where the gateway or its Kamailio takes connections. port: undefined for all of them. */
interface Place {
  readonly what: string;
  readonly host: string;
  readonly port: number | undefined;
}

/** A trunk that is the gateway itself would have its calls go round in circles, or ask its private port. */
export function ownTrunkRule(root: Value, faults: Faults): void {
  const places = placesOf(root);
  for (const { path, value } of texts(root, "customers[].trunk", "customers[].trunk2", "customers[].trunk2[]")) {
    const trunk = trunkPlace(value);
    const own = trunk && places.find((place) => same(place, trunk));
    if (own)
      faults.add(path, `is ${own.what}, the gateway itself: write where the customer's PBX or carrier takes calls`);
  }
}

const trunkUri = /^(sips?):(?:[^@]*@)?(?:\[([^\]]+)\]|([^:;[\]]+))(?::(\d+))?(?:;|$)/i;

function trunkPlace(uri: string): Omit<Place, "what"> | undefined {
  const found = trunkUri.exec(uri);
  if (!found) return undefined;
  const [, scheme = "", ipv6, name = "", port] = found;
  const secure = scheme.toLowerCase() === "sips" || /;transport=tls(?:;|$)/i.test(uri);
  return { host: (ipv6 ?? name).toLowerCase(), port: port === undefined ? (secure ? 5061 : 5060) : Number(port) };
}

function placesOf(root: Value): Place[] {
  const listens = { "gateway.listen": defaultListen, "admin.listen": "http://127.0.0.1:8089" };
  const places: Place[] = Object.entries(listens).flatMap(([what, usual]) => {
    const listen = listenAt(root, what.split("."), usual);
    return listen && listen.port !== 0 ? [{ what, host: listen.host, port: listen.port }] : [];
  });
  for (const { value } of texts(root, "gateway.publicUrl")) places.push(...placeOfUrl("gateway.publicUrl", value));
  for (const { value } of texts(root, "upstream.urls[]")) places.push(...placeOfUrl("one of upstream.urls", value));
  for (const { value } of texts(root, "gateway.domains[]"))
    places.push({ what: "one of gateway.domains", host: value.toLowerCase(), port: undefined });
  return places;
}

/** Undefined too where something else than a text stands there. */
export function listenAt(root: Value, path: Path, usual: string): Listen | undefined {
  const text = at(root, path) ?? usual;
  return typeof text === "string" ? parseListen(text.toLowerCase()) : undefined;
}

function placeOfUrl(what: string, text: string): Place[] {
  if (!URL.canParse(text)) return [];
  const { protocol, hostname, port } = new URL(text);
  return [{ what, host: hostname.replace(/^\[|\]$/g, ""), port: Number(port || (protocol === "wss:" ? 443 : 80)) }];
}

const everywhere = new Set(["0.0.0.0", "::"]);

/** Who listens everywhere is found by every name of this machine; of those, only loopback is known here. */
function same({ host, port }: Place, trunk: Omit<Place, "what">): boolean {
  if (port !== undefined && port !== trunk.port) return false;
  return host === trunk.host || (isLoopback(trunk.host) && (everywhere.has(host) || host === "localhost"));
}
