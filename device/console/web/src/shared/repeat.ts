const WINDOW = 400; // ms
const REACH = 32; // CSS pixels

/** As much of a click as counts here; detail is 0 when a key made it, and 2 and more for a mouse's double click. */
export type Press = Pick<MouseEvent, "timeStamp" | "clientX" | "clientY" | "isTrusted" | "detail"> & { pointerType?: string };

/**
 * Tells a double tap, a bouncing finger or a held key from a second press that is meant. It matters because lists move
 * up: the second tap on "give the word" would give it to the next person too.
 */
export class RepeatGuard {
  /** Whether the last press was a repetition of the one before. */
  repeated = false;
  #last: Press | null = null;
  #held = false;

  key(event: Pick<KeyboardEvent, "repeat">): void {
    this.#held = event.repeat;
  }

  press(now: Press): void {
    const last = this.#last;
    this.#last = now;
    if (!now.isTrusted) this.repeated = false; // a program's click is meant
    else if (now.detail === 0) this.repeated = this.#held;
    else if (now.pointerType === "mouse") this.repeated = now.detail > 1; // the system knows what a double click is
    else this.repeated = last !== null && last.detail > 0 && near(last, now);
  }
}

function near(a: Press, b: Press): boolean {
  return b.timeStamp - a.timeStamp < WINDOW && Math.hypot(b.clientX - a.clientX, b.clientY - a.clientY) < REACH;
}
