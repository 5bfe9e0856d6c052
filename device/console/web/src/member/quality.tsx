import { useEffect, useState } from "preact/hooks";
import { Icon } from "../shared/icons";
import type { View } from "../shared/types";
import { useTexts } from "../texts";
import type { Room } from "./room";

const INTERVAL = 2000; // ms

/** Counters of both connections at one moment. */
export interface Counters {
  at: number; // ms
  packets: number;
  lost: number;
  bytesIn: number;
  bytesOut: number;
  frames: number;
  rtt: number; // ms
}

/** How the connection did between two moments. */
export interface Rates {
  rtt: number; // ms
  loss: number; // per cent of what should have come
  fps: number; // pictures a second in the word slot
  kbitIn: number;
  kbitOut: number;
}

export function rates(before: Counters, after: Counters): Rates {
  const seconds = Math.max(0.001, (after.at - before.at) / 1000);
  const came = Math.max(0, after.packets - before.packets);
  const lost = Math.max(0, after.lost - before.lost);
  return {
    rtt: Math.round(after.rtt),
    loss: came + lost === 0 ? 0 : (100 * lost) / (came + lost),
    fps: Math.max(0, Math.round((after.frames - before.frames) / seconds)),
    kbitIn: Math.max(0, Math.round((8 * (after.bytesIn - before.bytesIn)) / 1000 / seconds)),
    kbitOut: Math.max(0, Math.round((8 * (after.bytesOut - before.bytesOut)) / 1000 / seconds)),
  };
}

/** Above these a conversation suffers: ITU-T G.114 calls 400 ms one way the limit; 3 % lost is heard. */
export function isWeak(r: Rates): boolean {
  return r.loss > 3 || r.rtt > 400;
}

async function count(room: Room): Promise<Counters> {
  const c: Counters = { at: performance.now(), packets: 0, lost: 0, bytesIn: 0, bytesOut: 0, frames: 0, rtt: 0 };
  const stats = (await room.player?.stats()) ?? {};
  for (const slot of Object.values(stats)) {
    if (!slot) continue;
    c.packets += slot.packets;
    c.lost += slot.lost;
  }
  c.frames = stats["video.word"]?.framesDecoded ?? 0;
  for (const pc of [room.player?.leg.pc, room.publisher.leg.pc]) {
    for (const report of (await pc?.getStats())?.values() ?? []) {
      if (report.type === "transport") {
        c.bytesIn += report.bytesReceived ?? 0;
        c.bytesOut += report.bytesSent ?? 0;
      }
      if (report.type === "candidate-pair" && report.nominated) c.rtt = Math.max(c.rtt, 1000 * (report.currentRoundTripTime ?? 0));
    }
  }
  return c;
}

/** One line about the connection, with figures for whoever wants them. */
export function Quality({ view, room }: { view: View; room: Room }) {
  const texts = useTexts();
  const t = texts.member;
  const [now, setNow] = useState<Rates | null>(null);
  useEffect(() => {
    let before: Counters | null = null;
    let alive = true;
    const timer = setInterval(async () => {
      const after = await count(room);
      if (!alive) return;
      if (before) setNow(rates(before, after));
      before = after;
    }, INTERVAL);
    return () => {
      alive = false;
      clearInterval(timer);
    };
  }, [room]);

  const level = qualityLevel(room, now);
  const leg = view.people.find((p) => p.id === view.me.id)?.media;
  return (
    <div class={`quality quality-${level}`}>
      <p class="quality-line" role="status">
        <Icon name={level === "good" ? "check" : level === "connecting" ? "waiting" : "warning"} />
        {t.quality[level]}
      </p>
      <details>
        <summary>{t.qualityDetails}</summary>
        <dl class="facts">
          {now && (
            <>
              <Fact name={t.rtt} value={t.ms(now.rtt)} />
              <Fact name={t.loss} value={t.percent(now.loss)} />
              <Fact name={t.fps} value={String(now.fps)} />
              <Fact name={t.received} value={t.kbit(now.kbitIn)} />
              <Fact name={t.sent} value={t.kbit(now.kbitOut)} />
            </>
          )}
          <Fact name={t.encryption} value={[leg?.dtls, leg?.cipher, leg?.srtp].filter(Boolean).join(", ") || texts.panel.unknown} />
        </dl>
      </details>
    </div>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

function qualityLevel(room: Room, now: Rates | null): "good" | "weak" | "broken" | "connecting" | "refused" {
  const legs = room.publishes === "off" ? [room.plays] : [room.plays, room.publishes];
  if (legs.includes("refused")) return "refused";
  if (legs.includes("waiting")) return "broken";
  if (legs.some((leg) => leg !== "connected")) return "connecting";
  return now && isWeak(now) ? "weak" : "good";
}
