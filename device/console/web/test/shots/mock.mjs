// A stand-in for the console's HTTP API, just enough of it for the pages: see device/console/openapi.yaml.
import { createReadStream, existsSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { devices, reports, request, speaker } from "./council.mjs";
import { OWNER } from "./technician.mjs";

const TYPES = { ".html": "text/html; charset=utf-8", ".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml" };
const CSP = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
export const TOKENS = { chair: "p-chair", anna: "p-anna", screen: "screen" };

export class Mock {
  /** far answers media offers: {answer(kind, sdp), hangUp()}. */
  constructor(dist, far) {
    this.dist = dist;
    this.far = far;
    this.view = {};
    this.seq = 1;
    this.streams = new Set();
    this.refusals = []; // problem codes for the next commands
    this.commands = [];
    this.keys = new Map();
    this.away = false;
    this.beats = true;
    this.unknown = new Set(); // tokens that are refused
    this.deleted = 0;
    this.devices = devices();
    this.report = reports.go();
    this.selftest = Promise.resolve(); // when the present self-test ends
    this.service = null; // the technician's room; null: this is no appliance
    this.first = null; // what the box lacks; null: this is no appliance
    this.serviceBusy = false; // it does not answer in time
    this.orders = [];
    this.ordered = Promise.resolve(); // when the present order is answered
    this.server = createServer((req, res) => this.#serve(req, res).catch((error) => res.destroy(error)));
    this.beat = setInterval(() => this.beats && this.#write(": beat\n\n"), 3000);
  }

  async listen() {
    await new Promise((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  async close() {
    clearInterval(this.beat);
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** Puts the sitting into a moment; pages hear of it by a change event. */
  show(view) {
    this.view = view;
    this.change(view);
  }

  change(part) {
    Object.assign(this.view, part);
    this.seq++;
    this.#write(`id: ${this.seq}\nevent: change\ndata: ${JSON.stringify({ ...part, seq: this.seq, now: new Date() })}\n\n`);
  }

  gone(code) {
    this.#write(`event: gone\ndata: ${JSON.stringify({ code })}\n\n`);
    for (const { res } of this.streams) res.end();
    this.streams.clear();
  }

  /** As if the box lost power: everything breaks, nothing answers until it is back. */
  async goAway() {
    this.away = true;
    for (const { res } of this.streams) res.destroy();
    this.streams.clear();
    await this.far.hangUp();
  }

  comeBack() {
    this.away = false;
  }

  #write(text) {
    for (const { res } of this.streams) res.write(text);
  }

  async #serve(req, res) {
    if (this.away) return void req.socket.destroy();
    const { pathname } = new URL(req.url, "http://box");
    if (pathname.startsWith("/api/") || pathname.startsWith("/whip") || pathname.startsWith("/whep")) return this.#api(req, res, pathname);
    const name = pathname === "/" ? "index.html" : pathname.startsWith("/assets/") ? pathname : `${pathname}.html`;
    const file = join(this.dist, name);
    if (!existsSync(file)) return void res.writeHead(404).end();
    res.writeHead(200, { "Content-Type": TYPES[extname(file)] ?? "application/octet-stream", "Content-Security-Policy": CSP, "X-Content-Type-Options": "nosniff" });
    createReadStream(file).pipe(res);
  }

  async #api(req, res, path) {
    const body = await text(req);
    if (path === "/api/v1/session") return this.#session(res, JSON.parse(body).pin);
    if (path === "/api/v1/service/first") return this.first === null ? problem(res, 404, "not_appliance") : json(res, this.first);
    if (path === "/api/v1/service/owner" || path === "/api/v1/service/chair") return this.#setPin(res, path.split("/").at(-1), JSON.parse(body));
    const token = (req.headers.authorization ?? "").replace("Bearer ", "");
    const person = TOKENS[token];
    if (!person || this.unknown.has(token)) return problem(res, 401, "unauthorized");
    if (path === "/api/v1/events") return this.#events(res, person);
    if (path === "/api/v1/state") return json(res, this.#seen(person));
    if (path === "/api/v1/devices") return this.devices === null ? problem(res, 503, "busy") : json(res, { devices: this.devices });
    if (path === "/api/v1/selftest") {
      const refusal = this.refusals.shift();
      if (refusal) return problem(res, 409, refusal);
      await this.selftest;
      return json(res, this.report);
    }
    if (path.startsWith("/api/v1/service")) return this.#service(res, path.split("/")[4], body);
    if (path.startsWith("/api/v1/commands/")) return this.#command(req, res, person, path.split("/").at(-1), JSON.parse(body));
    if (req.method === "DELETE") {
      this.deleted++;
      return void res.writeHead(200).end();
    }
    const answer = await this.far.answer(path.slice(1), body);
    res.writeHead(201, { "Content-Type": "application/sdp", Location: `${path}/${this.seq}`, ETag: '"1"' }).end(answer);
  }

  #session(res, pin) {
    if (pin === "0000") return problem(res, 429, "too_many_tries", { "Retry-After": "30" });
    if (pin !== "123456") return problem(res, 401, "wrong_pin");
    return json(res, { token: "chair", role: "chair", name: "Dr. Helga Wiesengrund", expires: new Date(Date.now() + 1e7) });
  }

  #setPin(res, whose, { pin, old }) {
    const refusal = this.refusals.shift();
    if (refusal) return problem(res, 400, refusal);
    if (old !== undefined && old !== OWNER) return problem(res, 403, "wrong_pin");
    this.orders.push({ name: whose, body: { pin, old } });
    if (this.first) this.first = { ...this.first, [whose]: true };
    return json(res, this.first ?? { owner: true, chair: true, local: true });
  }

  async #service(res, order, body) {
    if (this.service === null) return problem(res, 404, "not_appliance");
    if (this.serviceBusy) return problem(res, 503, "busy");
    if (order === undefined) return json(res, this.service);
    const asked = JSON.parse(body);
    await this.ordered;
    const refusal = this.refusals.shift() ?? (order !== "acknowledge" && asked.pin !== OWNER ? "wrong_pin" : undefined);
    if (refusal === "too_many_tries") return problem(res, 429, refusal, { "Retry-After": "30" });
    if (refusal) return problem(res, refusal === "wrong_pin" ? 403 : 409, refusal);
    if (order === "reset" && asked.confirm !== this.service.host) return problem(res, 400, "confirm");
    this.orders.push({ name: order, body: asked });
    const { update } = this.service;
    const changes = {
      install: { update: { ...update, state: "installing", percent: 0, text_de: "", text_en: "" } },
      reboot: { update: { ...update, state: "rebooting" } },
      technician: { technician: { on: asked.on, until: asked.on ? new Date(Date.now() + 1_800_000) : null } },
      acknowledge: { update: { ...update, last: { ...update.last, seen: true } } },
      setup: { setup: { ...this.service.setup, state: "applied" } },
    };
    Object.assign(this.service, changes[order]);
    return json(res, this.service);
  }

  #seen(id) {
    const me = this.view.people.find((p) => p.id === id) ?? { id, name: "Saalanzeige", role: "screen" };
    const people = this.view.people.map(({ media, ...rest }) => (me.role === "chair" || rest.id === id ? { ...rest, media } : rest));
    return { ...this.view, people, seq: this.seq, now: new Date(), me: { id: me.id, name: me.name, role: me.role } };
  }

  #events(res, person) {
    res.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    res.write(`id: ${this.seq}\nevent: snapshot\ndata: ${JSON.stringify(this.#seen(person))}\n\n`);
    const stream = { res };
    this.streams.add(stream);
    res.on("close", () => this.streams.delete(stream));
  }

  #command(req, res, caller, name, body) {
    const key = req.headers["idempotency-key"] ?? "";
    if (!/^[A-Za-z0-9_-]{1,64}$/.test(key)) return problem(res, 400, "invalid");
    const refusal = this.refusals.shift() ?? (name === "open" && this.#missing(body.overrides ?? []) ? "not_ready" : undefined);
    if (refusal) return problem(res, 409, refusal);
    if (!this.keys.has(key)) {
      this.keys.set(key, name);
      this.commands.push({ name, body });
      this.#carryOut(name, { person: caller, ...body });
    }
    json(res, { seq: this.seq, repeated: false });
  }

  #missing(overrides) {
    return this.view.items.some((item) => item.required && item.red && !overrides.includes(item.id));
  }

  // The few rules that a walk through the pages meets.
  #carryOut(name, { person, index, priority, mode, limit, overrides = [] }) {
    const v = this.view;
    const without = (list) => list.filter((x) => x.person !== person);
    const origin = v.people.find((p) => p.id === person)?.presence === "hall" ? "desk" : "remote";
    const speak = (id, from) => speaker(id, from, 0, { chair: id === "p-chair" });
    switch (name) {
      case "open":
        return this.change({
          phase: "open",
          opened_at: new Date(),
          overrides: v.items.filter((item) => overrides.includes(item.id)).map(({ id, name, reason }) => ({ item: id, name, reason, by: "Dr. Helga Wiesengrund", at: new Date() })),
        });
      case "all_clear":
        return this.change({ alarm: null });
      case "close":
        return this.change({ phase: "closed", speakers: [], requests: [] });
      case "request":
        return this.change({ requests: [...v.requests, request(person, origin, 0)] });
      case "lower":
      case "refuse":
        return this.change({ requests: without(v.requests) });
      case "move":
        return this.change({ requests: without(v.requests).toSpliced(index, 0, { ...v.requests.find((r) => r.person === person), moved: true }) });
      case "next":
        return this.change({ speakers: [speak(v.requests[0].person, v.requests[0].origin)], requests: v.requests.slice(1) });
      case "grant":
        return this.change({ speakers: [...v.speakers, speak(person, origin)], requests: without(v.requests) });
      case "withdraw":
      case "yield":
        return this.change({ speakers: without(v.speakers) });
      case "priority":
        return priority === "clear" ? this.change({ speakers: v.speakers.filter((s) => s.chair) }) : this.change({ silenced: priority === "hold" });
      case "rules":
        return this.change({ mode, limit });
    }
  }
}

async function text(req) {
  let body = "";
  for await (const piece of req) body += piece;
  return body;
}

function json(res, body) {
  res.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function problem(res, status, code, headers = {}) {
  res.writeHead(status, { "Content-Type": "application/problem+json", ...headers }).end(JSON.stringify({ type: "about:blank", status, code }));
}
