import type { SlotName, SlotStats } from "./whep";
import type { View } from "./types";

/** What a page tells tests and technicians in the browser's console; read only. */
export interface Diagnosis {
  /** The present connections; null where there is none. */
  readonly pcs: { whip: RTCPeerConnection | null; whep: RTCPeerConnection | null };
  readonly view: View | null;
  /** How often a connection asked to renegotiate after its answer; stays 0. */
  readonly negotiations: number;
  /** How often each connection was made. */
  readonly connections: { whip: number; whep: number };
  /** What arrives in each slot. */
  stats(): Promise<Partial<Record<SlotName, SlotStats>>>;
}

declare global {
  interface Window {
    __plenum?: Diagnosis;
  }
}
