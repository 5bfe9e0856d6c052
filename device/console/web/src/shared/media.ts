/** What became of asking for camera and microphone. */
export type CaptureState = "asking" | "ready" | "no_camera" | "no_microphone" | "denied" | "missing" | "in_use" | "insecure";

export interface Devices {
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
}

/** Which devices to use; an empty id lets the browser choose. */
export interface Choice {
  camera: string;
  microphone: string;
}

export interface Captured {
  stream: MediaStream;
  state: CaptureState;
}

const video = (id: string): MediaTrackConstraints => ({
  ...(id ? { deviceId: { ideal: id } } : {}),
  width: { ideal: 1280 },
  height: { ideal: 720 },
  frameRate: { ideal: 30, max: 30 },
});

const audio = (id: string): MediaTrackConstraints => ({
  ...(id ? { deviceId: { ideal: id } } : {}),
  channelCount: { ideal: 1 },
  echoCancellation: true,
  noiseSuppression: true,
  autoGainControl: true,
});

/** Why a browser gave no device. */
export function reason(error: unknown): "denied" | "missing" | "in_use" {
  const name = error instanceof Error ? error.name : "";
  if (name === "NotAllowedError" || name === "SecurityError") return "denied";
  if (name === "NotReadableError" || name === "AbortError") return "in_use";
  return "missing";
}

/**
 * Opens camera and microphone. When both together fail each is tried alone: a member with a microphone and no camera
 * can still be heard. Never throws; without any device the stream is empty and the state says why.
 */
export async function capture(choice: Choice, devices: Pick<MediaDevices, "getUserMedia"> | undefined = navigator.mediaDevices): Promise<Captured> {
  // Browsers hide mediaDevices on pages that did not come over HTTPS.
  if (!devices) return { stream: new MediaStream(), state: "insecure" };
  try {
    return { stream: await devices.getUserMedia({ audio: audio(choice.microphone), video: video(choice.camera) }), state: "ready" };
  } catch (both) {
    const why = reason(both);
    if (why === "denied") return { stream: new MediaStream(), state: why };
    try {
      return { stream: await devices.getUserMedia({ audio: audio(choice.microphone) }), state: "no_camera" };
    } catch {
      // not the camera alone; perhaps the microphone alone
    }
    try {
      return { stream: await devices.getUserMedia({ video: video(choice.camera) }), state: "no_microphone" };
    } catch {
      return { stream: new MediaStream(), state: why };
    }
  }
}

/** The cameras and microphones there are. Names are empty until the person has allowed their use. */
export async function listDevices(): Promise<Devices> {
  const all = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return { cameras: all.filter((d) => d.kind === "videoinput"), microphones: all.filter((d) => d.kind === "audioinput") };
}

/** Tells how loud streams are together, 0..1 (peak of the last 40 ms, -60..0 dBFS mapped linearly). */
export class Meter {
  #context: AudioContext | null = null;
  #analyser: AnalyserNode | null = null;
  #samples = new Float32Array(2048);

  attach(...streams: MediaStream[]): void {
    this.close();
    const sounding = streams.filter((stream) => stream.getAudioTracks().length > 0);
    if (sounding.length === 0) return;
    this.#context = new AudioContext();
    this.#analyser = this.#context.createAnalyser();
    this.#analyser.fftSize = this.#samples.length;
    for (const stream of sounding) this.#context.createMediaStreamSource(stream).connect(this.#analyser);
  }

  /** Lets a meter run that the browser held until the first touch or key. */
  resume(): void {
    if (this.#context?.state === "suspended") void this.#context.resume();
  }

  level(): number {
    if (!this.#analyser) return 0;
    this.#analyser.getFloatTimeDomainData(this.#samples);
    let peak = 0;
    for (const sample of this.#samples) peak = Math.max(peak, Math.abs(sample));
    return loudness(peak);
  }

  close(): void {
    void this.#context?.close();
    this.#context = null;
    this.#analyser = null;
  }
}

/** Maps an amplitude 0..1 to a place on a meter 0..1, linear in dB from -60 dBFS. */
export function loudness(amplitude: number): number {
  if (amplitude <= 0.001) return 0;
  return Math.min(1, 1 + Math.log10(amplitude) / 3);
}
