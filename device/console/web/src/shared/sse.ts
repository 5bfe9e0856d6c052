/** One event of a text/event-stream (WHATWG HTML, section 9.2); a comment line is an event of type "comment". */
export interface StreamEvent {
  type: string;
  data: string;
}

/** Splits a text/event-stream, given in pieces of any size, into events. */
export class StreamParser {
  #rest = "";
  #type = "";
  #data: string[] = [];

  /** Takes the next piece and returns the events that it completed. */
  push(piece: string): StreamEvent[] {
    const events: StreamEvent[] = [];
    this.#rest += piece;
    // A CR at the very end may be half of a CRLF: it waits for the next piece.
    for (let match; (match = /\r\n|\n|\r(?!$)/.exec(this.#rest)); ) {
      this.#line(this.#rest.slice(0, match.index), events);
      this.#rest = this.#rest.slice(match.index + match[0].length);
    }
    return events;
  }

  #line(line: string, events: StreamEvent[]): void {
    if (line === "") {
      if (this.#data.length > 0) events.push({ type: this.#type || "message", data: this.#data.join("\n") });
      this.#type = "";
      this.#data = [];
      return;
    }
    const colon = line.indexOf(":");
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (colon === 0) events.push({ type: "comment", data: value });
    else if (field === "event") this.#type = value;
    else if (field === "data") this.#data.push(value);
  }
}
