import type { Diagnosis } from "../shared/diagnosis";
import type { LegState } from "../shared/leg";
import { capture, type Captured, type Choice, type Devices, listDevices } from "../shared/media";
import type { View } from "../shared/types";
import { Player } from "../shared/whep";
import { Publisher } from "../shared/whip";

const KEY = "plenum.devices";

/** A remote member's sound and picture: own devices to the box (WHIP), the sitting from the box (WHEP). */
export class Room {
  player: Player | null = null;
  readonly publisher: Publisher;
  captured: Captured = { stream: new MediaStream(), state: "asking" };
  devices: Devices = { cameras: [], microphones: [] };
  choice: Choice = storedChoice();
  plays: LegState = "off";
  publishes: LegState = "off";
  /** Grows when the streams to show are new ones. */
  generation = 0;
  readonly #listeners = new Set<() => void>();
  #captures = 0;

  constructor(private readonly token: string) {
    this.publisher = new Publisher({ token, onState: (state) => this.#changed({ publishes: state }) });
    navigator.mediaDevices?.addEventListener("devicechange", () => void this.#devicesChanged());
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Starts playing, with so many places for remote voices; starts sending once there is something to send. */
  open(voices: number): void {
    if (this.player?.names.length !== voices + 3) {
      this.player?.leg.stop();
      this.player = new Player({ videos: 2, voices }, { token: this.token, onState: (state) => this.#changed({ plays: state }) }, () =>
        this.#changed({ generation: this.generation + 1 }),
      );
    }
    this.player.leg.start();
    if (this.captured.stream.getTracks().length > 0) this.publisher.leg.start();
    else if (this.captured.state === "asking") void this.capture(this.choice);
  }

  /** Ends both connections and lets go of the devices; tellBox is false when the box has ended them already. */
  close(tellBox: boolean): void {
    this.#captures++;
    for (const track of this.captured.stream.getTracks()) track.stop();
    this.captured = { stream: new MediaStream(), state: "asking" };
    this.player?.leg.stop(tellBox);
    this.publisher.leg.stop(tellBox);
  }

  /** Asks for the chosen devices and sends what they give. */
  async capture(choice: Choice): Promise<void> {
    const mine = ++this.#captures;
    this.choice = choice;
    storeChoice(choice);
    for (const track of this.captured.stream.getTracks()) track.stop();
    this.#changed({ captured: { stream: new MediaStream(), state: "asking" } });
    const captured = await capture(choice);
    if (mine !== this.#captures) {
      for (const track of captured.stream.getTracks()) track.stop();
      return; // another choice was made meanwhile
    }
    for (const track of captured.stream.getTracks()) track.addEventListener("ended", () => void this.capture(this.choice));
    this.#changed({ captured, devices: await listDevices() });
    if (captured.stream.getTracks().length > 0) this.publisher.send(captured.stream);
  }

  /** After the box was away: looks whether the connections survived. */
  probe(): void {
    void this.player?.leg.probe();
    void this.publisher.leg.probe();
  }

  diagnosis(view: () => View | null): Diagnosis {
    const room = this;
    return {
      get pcs() {
        return { whip: room.publisher.leg.pc, whep: room.player?.leg.pc ?? null };
      },
      get view() {
        return view();
      },
      get negotiations() {
        return room.publisher.leg.negotiations + (room.player?.leg.negotiations ?? 0);
      },
      get connections() {
        return { whip: room.publisher.leg.connections, whep: room.player?.leg.connections ?? 0 };
      },
      stats: async () => (await room.player?.stats()) ?? {},
    };
  }

  async #devicesChanged(): Promise<void> {
    this.#changed({ devices: await listDevices() });
    // Somebody plugged in what was missing.
    if (this.captured.state === "missing" || this.captured.state.startsWith("no_")) await this.capture(this.choice);
  }

  #changed(part: Partial<Pick<Room, "plays" | "publishes" | "generation" | "captured" | "devices">>): void {
    Object.assign(this, part);
    for (const listener of this.#listeners) listener();
  }
}

function storedChoice(): Choice {
  try {
    const { camera, microphone } = JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Choice>;
    return { camera: String(camera ?? ""), microphone: String(microphone ?? "") };
  } catch {
    return { camera: "", microphone: "" };
  }
}

function storeChoice(choice: Choice): void {
  try {
    localStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // storage is switched off: the browser's own choice next time
  }
}
