import { Leg, type LegOptions } from "./leg";

/** A fixed place of the stage; the n-th m-line of a kind in the offer gets the n-th slot. */
export type SlotName = "video.word" | "video.hall" | "audio.hall" | `audio.voice${number}`;

/** The slots an offer of so many pictures and voices asks for, in the order of its m-lines. */
export function slotNames(videos: 0 | 1 | 2, voices: number): SlotName[] {
  const names: SlotName[] = (["video.word", "video.hall"] as const).slice(0, videos);
  if (voices < 0) return names; // pictures only
  names.push("audio.hall");
  for (let i = 1; i <= voices; i++) names.push(`audio.voice${i}`);
  return names;
}

/** What arrives in one slot, as the browser counts it. */
export interface SlotStats {
  packets: number;
  lost: number;
  bytes: number;
  /** 0..1; sound only. */
  audioLevel?: number;
  framesDecoded?: number;
  width?: number;
  height?: number;
}

/** The way of the hall's sound and picture to this browser. */
export class Player {
  readonly leg: Leg;
  readonly names: SlotName[];
  #slots = new Map<SlotName, { receiver: RTCRtpReceiver; stream: MediaStream }>();

  /** onSlots runs when there are new streams to show; they are new after every connection. */
  constructor(
    slots: { videos: 0 | 1 | 2; voices: number },
    options: Pick<LegOptions, "token" | "onState">,
    private readonly onSlots: () => void,
  ) {
    this.names = slotNames(slots.videos, slots.voices);
    this.leg = new Leg({ url: "/whep", prepare: (pc) => this.#prepare(pc), ...options });
  }

  stream(name: SlotName): MediaStream | null {
    return this.#slots.get(name)?.stream ?? null;
  }

  /** Frames decoded so far in a picture slot; 0 without a connection. */
  async frames(name: SlotName): Promise<number> {
    return (await this.#one(name))?.framesDecoded ?? 0;
  }

  /** What arrives in each slot. */
  async stats(): Promise<Partial<Record<SlotName, SlotStats>>> {
    const all: Partial<Record<SlotName, SlotStats>> = {};
    for (const name of this.names) {
      const one = await this.#one(name);
      if (one) all[name] = one;
    }
    return all;
  }

  #prepare(pc: RTCPeerConnection): void {
    this.#slots = new Map();
    for (const name of this.names) {
      const { receiver } = pc.addTransceiver(name.startsWith("video") ? "video" : "audio", { direction: "recvonly" });
      this.#slots.set(name, { receiver, stream: new MediaStream([receiver.track]) });
    }
    this.onSlots();
  }

  async #one(name: SlotName): Promise<SlotStats | null> {
    const slot = this.#slots.get(name);
    if (!slot || this.leg.pc === null) return null;
    for (const report of (await slot.receiver.getStats()).values()) {
      if (report.type !== "inbound-rtp") continue;
      const r = report as RTCInboundRtpStreamStats;
      return {
        packets: r.packetsReceived ?? 0,
        lost: r.packetsLost ?? 0,
        bytes: r.bytesReceived ?? 0,
        ...(r.kind === "audio"
          ? { audioLevel: r.audioLevel ?? 0 }
          : { framesDecoded: r.framesDecoded ?? 0, width: r.frameWidth ?? 0, height: r.frameHeight ?? 0 }),
      };
    }
    return null;
  }
}
