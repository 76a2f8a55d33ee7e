/** What a browser might offer, as short as it may be. */
export const webrtcOffer = `${[
  "v=0",
  "o=- 1 1 IN IP4 127.0.0.1",
  "s=-",
  "t=0 0",
  "m=audio 9 UDP/TLS/RTP/SAVPF 111 0",
  "c=IN IP4 0.0.0.0",
  "a=rtpmap:111 opus/48000/2",
  "a=ice-ufrag:abcd",
  "a=ice-pwd:abcdabcdabcdabcdabcdabcd",
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => "AB").join(":")}`,
  "a=setup:actpass",
  "a=rtcp-mux",
].join("\r\n")}\r\n`;
