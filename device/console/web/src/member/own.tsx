import { useEffect, useRef } from "preact/hooks";
import { Icon } from "../shared/icons";
import { LevelMeter } from "../shared/meter";
import { Button, Notice } from "../shared/ui";
import { useTexts } from "../texts";
import type { Room } from "./room";

/** What becomes of one's own sound now: nothing without the word, forwarded, or held back by the chair's priority. */
export type Voice = "ready" | "live" | "silenced";

/** One's own camera and microphone: preview, level, choice of devices, and what to do when they are missing. */
export function Own({ room, voice }: { room: Room; voice: Voice }) {
  const texts = useTexts();
  const t = texts.member;
  const video = useRef<HTMLVideoElement>(null);
  const { stream, state } = room.captured;

  useEffect(() => {
    if (video.current) video.current.srcObject = stream.getVideoTracks().length > 0 ? stream : null;
  }, [stream]);

  return (
    <section class="own" aria-labelledby="own-title">
      <h2 class="section-title" id="own-title">
        {t.own}
      </h2>
      {state !== "ready" && (
        <Notice tone={state === "asking" ? "info" : "warning"} title={t.capture[state].title} role={state === "asking" ? "status" : "alert"}>
          <p>{t.capture[state].body}</p>
          {state !== "asking" && state !== "insecure" && (
            <Button action="retry-devices" onClick={() => void room.capture(room.choice)}>
              {t.retry}
            </Button>
          )}
        </Notice>
      )}
      <div class="own-row">
        <div class="own-preview">
          <video ref={video} aria-label={t.ownPreview} muted autoplay playsInline disablePictureInPicture />
          {stream.getVideoTracks().length === 0 && (
            <div class="slate">
              <Icon name="camera" large />
            </div>
          )}
        </div>
        <div class="own-level">
          {stream.getAudioTracks().length > 0 && (
            <>
              <p class={voice === "live" ? "own-live" : ""}>{voice === "silenced" ? t.youSilenced : t[voice]}</p>
              <LevelMeter label={t.level} streams={[stream]} live={voice === "live"} />
            </>
          )}
        </div>
      </div>
      <DeviceChoice room={room} />
    </section>
  );
}

function DeviceChoice({ room }: { room: Room }) {
  const t = useTexts().member;
  const { cameras, microphones } = room.devices;
  const used = (kind: "audio" | "video") => room.captured.stream.getTracks().find((track) => track.kind === kind)?.getSettings().deviceId ?? "";
  const select = (id: string, label: string, devices: MediaDeviceInfo[], value: string, choose: (deviceId: string) => void) =>
    devices.length > 0 && (
      <div class="kern-form-input">
        <label class="kern-label" for={id}>
          {label}
        </label>
        <div class="kern-form-input__select-wrapper">
          <select id={id} class="kern-form-input__select" value={value} onChange={(event) => choose(event.currentTarget.value)}>
            {devices.map((device, i) => (
              <option key={device.deviceId} value={device.deviceId}>
                {device.label || t.deviceNumber(i + 1)}
              </option>
            ))}
          </select>
        </div>
      </div>
    );
  if (![...cameras, ...microphones].some((d) => d.deviceId !== "")) return null; // nameless until allowed
  return (
    <details>
      <summary>{t.chooseDevices}</summary>
      <div class="devices">
        {select("microphone", t.microphone, microphones, used("audio"), (microphone) => void room.capture({ ...room.choice, microphone }))}
        {select("camera", t.camera, cameras, used("video"), (camera) => void room.capture({ ...room.choice, camera }))}
      </div>
    </details>
  );
}
