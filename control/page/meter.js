// Loudness of a track, from 0 (silence) to 1, as ears count: in decibels.

const QUIETEST_DB = -60;

export class Meter {
  constructor(mediaStreamTrack) {
    this.context = new AudioContext();
    this.analyser = this.context.createAnalyser();
    this.analyser.fftSize = 1024;
    this.source = this.context.createMediaStreamSource(new MediaStream([mediaStreamTrack]));
    this.source.connect(this.analyser);
    this.samples = new Float32Array(this.analyser.fftSize);
    this.context.resume(); // Safari starts it suspended
  }

  level() {
    this.analyser.getFloatTimeDomainData(this.samples);
    const power = this.samples.reduce((sum, each) => sum + each * each, 0) / this.samples.length;
    const db = 10 * Math.log10(power + 1e-12);
    return Math.min(1, Math.max(0, 1 - db / QUIETEST_DB));
  }

  close() {
    this.source.disconnect();
    this.context.close();
  }
}
