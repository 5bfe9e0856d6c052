const two = (n: number) => String(Math.trunc(n)).padStart(2, "0");

/** A time of day as HH:MM:SS in the reader's zone, on request with tenths of a second. */
export function timeOfDay(at: string | number, tenths = false): string {
  const date = new Date(at);
  const base = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return tenths ? `${base}.${Math.floor(date.getMilliseconds() / 100)}` : base;
}

/** Times of day for a list; those that share a second with another get tenths, so that the order can be understood. */
export function timesOfDay(ats: readonly string[]): string[] {
  const seconds = new Map<number, number>();
  const second = (at: string) => Math.floor(Date.parse(at) / 1000);
  for (const at of ats) seconds.set(second(at), (seconds.get(second(at)) ?? 0) + 1);
  return ats.map((at) => timeOfDay(at, (seconds.get(second(at)) ?? 0) > 1));
}

/** A length of time in ms as M:SS, from an hour on H:MM:SS; never negative (clocks differ a little). */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes}:${two(seconds % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`;
}

/** A time of day; one that is not of the present day has its day before it. */
export function moment(at: string, now: number, lang: string): string {
  const then = new Date(at);
  if (then.toDateString() === new Date(now).toDateString()) return timeOfDay(at);
  return `${then.toLocaleDateString(locale(lang), { day: "numeric", month: "short" })}, ${clock(then.getTime())}`;
}

/** The hour and minute as HH:MM. */
export function clock(ms: number): string {
  return timeOfDay(ms).slice(0, 5);
}

/** A day and time of day in words; what is no time is told as it is. */
export function dayAndTime(at: string, lang: string): string {
  const then = new Date(at);
  if (Number.isNaN(then.getTime())) return at;
  return `${then.toLocaleDateString(locale(lang), { day: "numeric", month: "long", year: "numeric" })}, ${clock(then.getTime())}`;
}

/** A month written as YYYY-MM, in words; what is no month is told as it is. */
export function month(at: string, lang: string): string {
  const then = new Date(`${at}-15T12:00:00Z`);
  return Number.isNaN(then.getTime()) ? at : then.toLocaleDateString(locale(lang), { month: "long", year: "numeric" });
}

/** A size in MB. */
export function megabytes(bytes: number, lang: string): string {
  return `${(bytes / 1e6).toLocaleString(locale(lang), { maximumFractionDigits: bytes < 1e7 ? 1 : 0 })} MB`;
}

function locale(lang: string): string {
  return lang === "de" ? "de-DE" : "en-GB";
}
