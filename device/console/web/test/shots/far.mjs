// The other end of the media connections: a browser page that answers offers with moving pictures and a tone, so that
// the pages under test run their real WHIP and WHEP code.

/** The far end; its page is opened with the first offer, and paints and sounds only while somebody is connected. */
export class Far {
  #browser;
  #page = null;

  constructor(browser) {
    this.#browser = browser;
  }

  async answer(kind, sdp) {
    this.#page ??= this.#open();
    const page = await this.#page;
    return page.evaluate(([k, s]) => window.answer(k, s), [kind, sdp]);
  }

  /** Ends every connection; what is shown from then on moves again. */
  async hangUp() {
    await (await this.#page)?.evaluate(() => window.hangUp());
  }

  /** Stops or resumes the pictures while the connection stays up. */
  async freeze(on) {
    await (await this.#page)?.evaluate((f) => (window.frozen = f), on);
  }

  async #open() {
    const page = await (await this.#browser.newContext()).newPage();
    await page.evaluate(prepare);
    return page;
  }
}

/** For scenes without media, which may be shown beside one that has them. */
export const NO_FAR = {
  answer: () => Promise.reject(new Error("an offer from a scene that is not marked media: true")),
  hangUp: async () => {},
};

function prepare() {
  let ends = []; // what closes each connection and its sources
  window.frozen = false;

  const picture = (label, ground) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const pen = canvas.getContext("2d");
    const timer = setInterval(() => {
      if (window.frozen) return;
      pen.fillStyle = ground;
      pen.fillRect(0, 0, 640, 360);
      pen.fillStyle = "#fff";
      pen.font = "48px sans-serif";
      pen.fillText(label, 40, 180);
      pen.fillText((performance.now() / 1000).toFixed(1), 40, 250);
    }, 66);
    ends.push(() => clearInterval(timer));
    return canvas.captureStream(15).getVideoTracks()[0];
  };
  const tone = (audio, hertz) => {
    const sink = audio.createMediaStreamDestination();
    const source = new OscillatorNode(audio, { frequency: hertz });
    source.connect(new GainNode(audio, { gain: 0.3 })).connect(sink);
    source.start();
    return sink.stream.getAudioTracks()[0];
  };
  const sources = () => {
    const audio = new AudioContext();
    ends.push(() => audio.close());
    return {
      video: [() => picture("Wort", "#274b6d"), () => picture("Saal", "#3f5d3a")],
      audio: [440, 660, 880].map((hertz) => () => tone(audio, hertz)),
    };
  };
  const complete = (pc) =>
    new Promise((resolve) => {
      const look = () => pc.iceGatheringState === "complete" && resolve();
      pc.addEventListener("icegatheringstatechange", look);
      look();
    });

  window.answer = async (kind, sdp) => {
    const pc = new RTCPeerConnection();
    ends.push(() => pc.close());
    await pc.setRemoteDescription({ type: "offer", sdp });
    if (kind === "whep") {
      const { video, audio } = sources();
      for (const transceiver of pc.getTransceivers()) {
        transceiver.direction = "sendonly";
        const make = (transceiver.receiver.track.kind === "video" ? video : audio).shift();
        await transceiver.sender.replaceTrack(make?.() ?? null);
      }
    }
    await pc.setLocalDescription(await pc.createAnswer());
    await complete(pc);
    return pc.localDescription.sdp;
  };
  window.hangUp = () => {
    const all = ends;
    ends = [];
    for (const end of all) end();
    window.frozen = false;
  };
}
