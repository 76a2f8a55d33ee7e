const loopback = /^(127\.\d{1,3}\.\d{1,3}\.\d{1,3}|::1)$/;

export const isLoopback = (host: string): boolean =>
  host === "localhost" || loopback.test(host.replace(/^\[|\]$/g, ""));

/**
 * A description in which only UDP candidates on this very host are left (RFC 8839 §5.1), so that media cannot leave it.
 * sdp: lines ended by CRLF, as WebRTC writes them.
 */
export function loopbackOnly(sdp: string): string {
  return sdp
    .split("\r\n")
    .filter((line) => !line.startsWith("a=candidate:") || isLocalCandidate(line))
    .map((line) => line.replace(/^c=IN IP[46] .*$/, "c=IN IP4 127.0.0.1"))
    .join("\r\n");
}

function isLocalCandidate(line: string): boolean {
  const [, , transport, , address] = line.split(" ");
  return transport?.toLowerCase() === "udp" && address !== undefined && loopback.test(address);
}
