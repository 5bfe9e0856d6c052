import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { capture, loudness, reason } from "../../src/shared/media";
import { slotNames } from "../../src/shared/whep";

class FakeStream {
  constructor(readonly kinds: string[] = []) {}
}

beforeAll(() => void vi.stubGlobal("MediaStream", FakeStream));
afterAll(() => void vi.unstubAllGlobals());

const none = { camera: "", microphone: "" };
const named = (name: string) => Object.assign(new Error(name), { name });

/** Devices of which those listed are there; asking for a missing one fails with the given name. */
function devices(there: string[], failure: string) {
  return {
    getUserMedia: async (wanted?: MediaStreamConstraints) => {
      const kinds = Object.keys(wanted ?? {});
      if (kinds.some((kind) => !there.includes(kind))) throw named(failure);
      return new FakeStream(kinds) as unknown as MediaStream;
    },
  };
}

test.each([
  [["audio", "video"], "", "ready", 2],
  [["audio"], "NotFoundError", "no_camera", 1],
  [["video"], "NotReadableError", "no_microphone", 1],
  [[], "NotFoundError", "missing", 0],
  [[], "NotReadableError", "in_use", 0],
  [[], "NotAllowedError", "denied", 0],
])("with %j and %s the capture is %s", async (there, failure, state, tracks) => {
  const captured = await capture(none, devices(there, failure));
  expect(captured.state).toBe(state);
  expect((captured.stream as unknown as FakeStream).kinds).toHaveLength(tracks);
});

test("without a secure context there is nothing to ask", async () => {
  vi.stubGlobal("navigator", {});
  expect((await capture(none)).state).toBe("insecure");
});

test.each([
  ["NotAllowedError", "denied"],
  ["OverconstrainedError", "missing"],
  ["AbortError", "in_use"],
])("%s means %s", (name, why) => expect(reason(named(name))).toBe(why));

test("the level is linear in dB from -60", () => {
  expect(loudness(0)).toBe(0);
  expect(loudness(0.001)).toBe(0);
  expect(loudness(0.0316)).toBeCloseTo(0.5, 2);
  expect(loudness(1)).toBe(1);
  expect(loudness(2)).toBe(1);
});

test("slots stand in the order of the offer", () => {
  expect(slotNames(2, 2)).toEqual(["video.word", "video.hall", "audio.hall", "audio.voice1", "audio.voice2"]);
  expect(slotNames(1, -1)).toEqual(["video.word"]);
});
