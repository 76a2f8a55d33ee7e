/** G.711 as RTP carries it (RFC 3551 section 4.5.14): 8 bits a sample, 8000 a second. */
export type Law = "PCMU" | "PCMA";

export const sampleRate = 8_000;

/** Samples of 16 bits. */
export const decode = (law: Law, bytes: Uint8Array): Int16Array =>
  Int16Array.from(bytes, law === "PCMU" ? fromMu : fromA);

export const encode = (law: Law, samples: Int16Array): Buffer =>
  Buffer.from(Uint8Array.from(samples, law === "PCMU" ? toMu : toA));

const bias = 0x84;
const most = 32_635;

function toMu(sample: number): number {
  const magnitude = Math.min(Math.abs(sample), most) + bias;
  const segment = 31 - Math.clz32(magnitude >> 7);
  const step = (magnitude >> (segment + 3)) & 15;
  return ~((sample < 0 ? 0x80 : 0) | (segment << 4) | step) & 0xff;
}

function fromMu(byte: number): number {
  const code = ~byte & 0xff;
  const magnitude = ((((code & 15) << 3) + bias) << ((code >> 4) & 7)) - bias;
  return code & 0x80 ? -magnitude : magnitude;
}

function toA(sample: number): number {
  const magnitude = Math.min(sample < 0 ? -sample - 1 : sample, 32_767) >> 3;
  const segment = magnitude < 32 ? 0 : 27 - Math.clz32(magnitude);
  const step = segment < 1 ? magnitude >> 1 : (magnitude >> segment) & 15;
  return ((segment << 4) | step | (sample < 0 ? 0 : 0x80)) ^ 0x55;
}

function fromA(byte: number): number {
  const code = byte ^ 0x55;
  const segment = (code >> 4) & 7;
  const step = ((code & 15) << 4) + 8;
  const magnitude = segment === 0 ? step : (step + 0x100) << (segment - 1);
  return code & 0x80 ? magnitude : -magnitude;
}
