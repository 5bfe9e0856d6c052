// The other end of the media connections: a browser page that answers offers with moving pictures and a tone, so that
// the pages under test run their real WHIP and WHEP code.

/** Opens the far end in a page of its own. */
export async function farEnd(context) {
  const page = await context.newPage();
  await page.evaluate(prepare);
  return {
    answer: (kind, sdp) => page.evaluate(([k, s]) => window.answer(k, s), [kind, sdp]),
    hangUp: () => page.evaluate(() => window.hangUp()),
    /** Stops or resumes the pictures while the connection stays up. */
    freeze: (on) => page.evaluate((f) => (window.frozen = f), on),
  };
}

function prepare() {
  const peers = [];
  const picture = (label, ground) => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const pen = canvas.getContext("2d");
    setInterval(() => {
      if (window.frozen) return;
      pen.fillStyle = ground;
      pen.fillRect(0, 0, 640, 360);
      pen.fillStyle = "#fff";
      pen.font = "48px sans-serif";
      pen.fillText(label, 40, 180);
      pen.fillText((performance.now() / 1000).toFixed(1), 40, 250);
    }, 66);
    return canvas.captureStream(15).getVideoTracks()[0];
  };
  const tone = (hertz) => {
    const audio = (window.audio ??= new AudioContext());
    const sink = audio.createMediaStreamDestination();
    const source = new OscillatorNode(audio, { frequency: hertz });
    source.connect(new GainNode(audio, { gain: 0.3 })).connect(sink);
    source.start();
    return sink.stream.getAudioTracks()[0];
  };
  const sources = { video: [picture("Wort", "#274b6d"), picture("Saal", "#3f5d3a")], audio: [tone(440), tone(660), tone(880)] };
  window.frozen = false;

  window.answer = async (kind, sdp) => {
    const pc = new RTCPeerConnection();
    peers.push(pc);
    await pc.setRemoteDescription({ type: "offer", sdp });
    if (kind === "whep") {
      const used = { video: 0, audio: 0 };
      for (const transceiver of pc.getTransceivers()) {
        const kindOf = transceiver.receiver.track.kind;
        transceiver.direction = "sendonly";
        await transceiver.sender.replaceTrack(sources[kindOf][used[kindOf]++] ?? null);
      }
    }
    await pc.setLocalDescription(await pc.createAnswer());
    while (pc.iceGatheringState !== "complete") await new Promise((resolve) => setTimeout(resolve, 20));
    return pc.localDescription.sdp;
  };
  window.hangUp = () => {
    for (const pc of peers.splice(0)) pc.close();
  };
}
