/** What the test client plays, and what it listens for: 440 Hz, the tuning fork's A. */
export const toneFrequency = 440;

/** Samples [from, from + count) of a sine, 16 bit, at half of full scale. */
export function sine(frequency: number, sampleRate: number, from: number, count: number): Int16Array {
  const step = (2 * Math.PI * frequency) / sampleRate;
  return Int16Array.from({ length: count }, (_, index) => Math.round(16_000 * Math.sin(step * (from + index))));
}

/**
 * How much of a sound's power is at one frequency, 0 to 1; 0 for silence. Goertzel's algorithm, which is one bin of a Fourier
 * transform; needs at least one period of the frequency.
 */
export function share(samples: Int16Array, sampleRate: number, frequency: number): number {
  const coefficient = 2 * Math.cos((2 * Math.PI * frequency) / sampleRate);
  let before = 0;
  let last = 0;
  let total = 0;
  for (const sample of samples) {
    const next = sample + coefficient * last - before;
    before = last;
    last = next;
    total += sample * sample;
  }
  if (total === 0) return 0;
  const power = last * last + before * before - coefficient * last * before;
  return Math.min(1, (2 * power) / (total * samples.length));
}

export const isSilent = (samples: Int16Array): boolean => samples.every((sample) => Math.abs(sample) < 50);
