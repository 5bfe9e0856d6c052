import { Leg, type LegOptions } from "./leg";

/** Bits per second that a browser may send as picture: enough for 720p of a talking person. */
const MAX_VIDEO = 1_500_000;

/** The way of one's own sound and picture to the box. */
export class Publisher {
  readonly leg: Leg;
  #audio: MediaStreamTrack | null = null;
  #video: MediaStreamTrack | null = null;
  #senders: { audio: RTCRtpSender; video: RTCRtpSender } | null = null;

  constructor(options: Pick<LegOptions, "token" | "onState">) {
    this.leg = new Leg({ url: "/whip", prepare: (pc) => this.#prepare(pc), ...options });
  }

  /** Sets what is sent; null for a part that the person has not got. Other devices later need no new connection. */
  send(stream: MediaStream): void {
    this.#audio = stream.getAudioTracks()[0] ?? null;
    this.#video = stream.getVideoTracks()[0] ?? null;
    if (this.#video) this.#video.contentHint = "motion";
    if (this.leg.pc !== null && this.#senders) {
      void this.#senders.audio.replaceTrack(this.#audio).catch(() => this.leg.restart());
      void this.#senders.video.replaceTrack(this.#video).catch(() => this.leg.restart());
    }
    this.leg.start();
  }

  // Both kinds stand in the offer even when one is missing, so that a camera chosen later needs no renegotiation.
  #prepare(pc: RTCPeerConnection): void {
    const stream = new MediaStream([this.#audio, this.#video].filter((track) => track !== null));
    const audio = pc.addTransceiver(this.#audio ?? "audio", { direction: "sendonly", streams: [stream] });
    const video = pc.addTransceiver(this.#video ?? "video", {
      direction: "sendonly",
      streams: [stream],
      sendEncodings: [{ maxBitrate: MAX_VIDEO }],
    });
    this.#senders = { audio: audio.sender, video: video.sender };
  }
}
