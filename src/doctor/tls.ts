import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type { Config } from "../config.ts";
import { type Finding, fail, ok, type System, warn } from "./finding.ts";

const day = 86_400_000;
/** Days before its end at which a renewal that works has happened. */
const soon = 14;

/** Every certificate of gateway.tls.cert: its time, and whether it is for the public name. Its key was checked with the config. */
export function checkTls({ gateway }: Pick<Config, "gateway">, system: System): Finding[] {
  if (!gateway.tls) return [];
  const pems = system.readText(gateway.tls.cert)?.match(pemBlock) ?? [];
  const all = pems.map((pem) => new X509Certificate(pem));
  const [leaf] = all;
  if (!leaf) return [fail("certificate", "gateway.tls.cert holds no certificate", "put the PEM chain there")];
  return [...all.map((one) => lifetime(one, system.now())), ...nameOf(leaf, gateway)];
}

const pemBlock = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

function lifetime(certificate: X509Certificate, now: number): Finding {
  const check = `certificate ${titleOf(certificate)}`;
  const [from, until] = [certificate.validFromDate.getTime(), certificate.validToDate.getTime()];
  const renew = "renew it and put it in the place of the old files: the gateway takes replaced files up";
  if (now < from) {
    return fail(
      check,
      `is valid from ${iso(from)} on only`,
      "look at the clock, or wait: browsers refuse it till then",
    );
  }
  if (now > until) return fail(check, `ended on ${iso(until)}: browsers refuse it`, renew);
  const days = Math.floor((until - now) / day);
  const found = `good until ${iso(until)}, ${days} days; the key is its own`;
  return days < soon ? warn(check, found, renew) : ok(check, found);
}

const iso = (time: number): string => new Date(time).toISOString();

/** One line of what a stranger (a certificate authority) may have written. */
const titleOf = ({ subject, serialNumber }: X509Certificate): string =>
  (/^CN=(.*)$/m.exec(subject)?.[1] ?? `with serial ${serialNumber}`).replace(/[^ -~]/g, "?").slice(0, 100);

/** Only where a public URL is set: what a gateway listens on is seldom what browsers call it. */
function nameOf(leaf: X509Certificate, { listen, publicUrl }: Config["gateway"]): Finding[] {
  const host = new URL(publicUrl).hostname.replace(/^\[|\]$/g, "");
  if (publicUrl === listen) return [];
  const check = "certificate name";
  if (isIP(host) === 0 ? leaf.checkHost(host) : leaf.checkIP(host))
    return [ok(check, `is for ${host}, the host of gateway.publicUrl`)];
  return [
    fail(check, `is not for ${host}, the host of gateway.publicUrl`, "get one for that name: browsers refuse it"),
  ];
}
