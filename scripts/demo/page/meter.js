/** @type {AudioContext | undefined} */
let context;

/** Shows how loud a stream is until it is told to stop. @param {MediaStream} stream @param {HTMLMeterElement} meter */
export function watch(stream, meter) {
  context ??= new AudioContext();
  void context.resume();
  const source = context.createMediaStreamSource(stream);
  const analyser = new AnalyserNode(context, { fftSize: 1024 });
  source.connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  let frame = 0;
  const look = () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    // 0 at -60 dB, 1 at 0 dB.
    meter.value = power === 0 ? 0 : Math.max(0, 1 + (10 * Math.log10(power)) / 60);
    frame = requestAnimationFrame(look);
  };
  look();
  return () => {
    cancelAnimationFrame(frame);
    source.disconnect();
    meter.value = 0;
  };
}
