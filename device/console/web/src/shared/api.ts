import { Backoff, pause } from "./backoff";
import { type First, type OrderName, type Orders, type ServiceView, whole } from "./service";
import type { CommandName, Commands, Device, Report, View } from "./types";

/** A refusal by the box (its stable problem code), or "network" when the box was not reached at all. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    /** Seconds to wait, when the box said so. */
    readonly retryAfter?: number,
  ) {
    super(code);
  }
}

/** What POST /api/v1/session answers. */
export interface Session {
  token: string;
  role: string;
  name: string;
  expires: string;
}

const TIMEOUT = 8000; // ms for one attempt
const SELFTEST = 40_000; // ms; the box itself ends one after 25 s
const ORDER = 25_000; // ms; the box itself gives an order 20 s
const ATTEMPTS = 4;

/** Reads the problem document of a refused call; a body that is none still gives a code. */
export async function problem(response: Response): Promise<ApiError> {
  let code = response.status === 401 ? "unauthorized" : response.status === 503 ? "busy" : "internal";
  try {
    const body: unknown = await response.json();
    if (typeof body === "object" && body !== null && "code" in body && typeof body.code === "string") code = body.code;
  } catch {
    // not JSON: a proxy's page, or nothing; the code by status stands
  }
  const after = Number(response.headers.get("Retry-After"));
  return new ApiError(code, response.status, after > 0 ? after : undefined);
}

/** A key that names one command for good, so that the box carries out a repeated one only once. */
export function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** The calls of one person, by their bearer token. */
export class Api {
  constructor(
    readonly token: string,
    private readonly call: typeof fetch = (...args) => fetch(...args),
    private readonly backoff = () => new Backoff(),
  ) {}

  /** Trades the chair's PIN for a token. */
  async session(pin: string): Promise<Session> {
    const response = await this.#once("/api/v1/session", { pin }, {});
    return (await response.json()) as Session;
  }

  /** The sitting as it stands. */
  async state(): Promise<View> {
    const response = await this.call("/api/v1/state", { headers: { Authorization: `Bearer ${this.token}` } });
    if (!response.ok) throw await problem(response);
    return (await response.json()) as View;
  }

  /** All devices and how they do; for the chair. */
  async devices(signal: AbortSignal): Promise<Device[]> {
    const answer = (await this.#look("/api/v1/devices", signal)) as { devices: Device[] | null };
    return answer.devices ?? [];
  }

  /** The box as a technician sees it; for the chair. */
  async service(signal: AbortSignal): Promise<ServiceView> {
    return whole((await this.#look("/api/v1/service", signal)) as ServiceView);
  }

  /** What the box still lacks before anybody can log in; needs no token. */
  async first(signal: AbortSignal): Promise<First> {
    return (await this.#look("/api/v1/service/first", signal)) as First;
  }

  /** Orders something of the box. It is not sent again by itself: a person gave the PIN for this once. */
  async order<N extends OrderName>(name: N, body: Orders[N]): Promise<ServiceView> {
    const response = await this.#once(`/api/v1/service/${name}`, body, { Authorization: `Bearer ${this.token}` }, ORDER);
    return whole((await response.json()) as ServiceView);
  }

  /** Sets the owner's PIN; the first one without a token and without an old one, at the box itself. */
  async setOwner(pin: string, old?: string): Promise<First> {
    const headers: Record<string, string> = this.token ? { Authorization: `Bearer ${this.token}` } : {};
    return (await (await this.#once("/api/v1/service/owner", old === undefined ? { pin } : { pin, old }, headers, ORDER)).json()) as First;
  }

  /** Sets the chair's first PIN, at the box itself. */
  async setChair(pin: string): Promise<First> {
    return (await (await this.#once("/api/v1/service/chair", { pin }, {}, ORDER)).json()) as First;
  }

  async #look(path: string, signal: AbortSignal): Promise<unknown> {
    const response = await this.call(path, {
      headers: this.token ? { Authorization: `Bearer ${this.token}` } : {},
      cache: "no-store",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
    });
    if (!response.ok) throw await problem(response);
    return response.json();
  }

  /** Runs the self-test; takes up to 20 s. It is not sent again by itself: it may be heard in the hall. */
  async selftest(): Promise<Report> {
    const response = await this.#once("/api/v1/selftest", {}, { Authorization: `Bearer ${this.token}` }, SELFTEST);
    const report = (await response.json()) as Omit<Report, "checks"> & { checks: Report["checks"] | null };
    return { ...report, checks: report.checks ?? [] };
  }

  /**
   * Sends a command. When the network fails or the box is restarting it is sent again with the same key, so that a
   * command whose answer was lost is not carried out twice.
   */
  async command<N extends CommandName>(name: N, body: Commands[N]): Promise<void> {
    const headers = { Authorization: `Bearer ${this.token}`, "Idempotency-Key": newKey() };
    const backoff = this.backoff();
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#once(`/api/v1/commands/${name}`, body, headers);
        return;
      } catch (error) {
        if (!(error instanceof ApiError) || !worthRepeating(error) || attempt === ATTEMPTS) throw error;
      }
      await pause(backoff.next());
    }
  }

  async #once(path: string, body: unknown, headers: Record<string, string>, limit = TIMEOUT): Promise<Response> {
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), limit);
    let response: Response;
    try {
      response = await this.call(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", ...headers },
        body: JSON.stringify(body),
        signal: timeout.signal,
      });
    } catch {
      throw new ApiError("network", 0);
    } finally {
      clearTimeout(timer);
    }
    if (!response.ok) throw await problem(response);
    return response;
  }
}

function worthRepeating(error: ApiError): boolean {
  return error.code === "network" || error.status === 502 || error.status === 503 || error.status === 504;
}
