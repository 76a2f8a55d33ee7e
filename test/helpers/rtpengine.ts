import { type RunningRtpengine, startRtpengine as start } from "../../scripts/rtpengine.ts";
import { freePort, freePorts } from "./ports.ts";

/** Media's own ports, enough for a dozen calls. */
const span = 96;

/**
 * A real rtpengine in user space, on loopback and ports of its own; its `url` is Kamailio's RTPENGINE. With that of an earlier
 * one it listens where that did. interfaces: name/address of each; both names of MEDIA_NETWORKS, or none.
 */
export async function startRtpengine(
  earlier?: RunningRtpengine,
  interfaces?: readonly string[],
  options: readonly string[] = [],
): Promise<RunningRtpengine> {
  const host = "127.0.0.1";
  const ngPort = earlier ? Number(earlier.url.split(":").at(-1)) : await freePort(host);
  const first = await freePorts(span, host);
  return start({ host, ngPort, ports: [first, first + span - 1], options, ...(interfaces && { interfaces }) });
}
