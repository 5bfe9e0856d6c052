import { useRef, useState } from "preact/hooks";
import type { Sender } from "../shared/hooks";
import type { Leg, Person, View } from "../shared/types";
import { Button, PresenceMark } from "../shared/ui";
import { type Texts, useTexts } from "../texts";
import { ALARM_NOTE, AlarmNote } from "./alarm";
import { useKeptFocus } from "./focus";

const fold = (text: string) => text.toLocaleLowerCase("de").normalize("NFD").replace(/\p{M}/gu, "");

/** The people to show: those who are there first, then the absent, each in the roster's order; narrowed by a search. */
export function choosePeople(people: readonly Person[], search: string): Person[] {
  const words = fold(search).split(/\s+/).filter(Boolean);
  const matches = people.filter((p) => {
    const text = fold([p.name, p.group ?? "", p.seat ?? ""].join(" "));
    return p.role !== "screen" && words.every((word) => text.includes(word));
  });
  return [...matches.filter((p) => p.presence !== "absent"), ...matches.filter((p) => p.presence === "absent")];
}

/** Everybody by name with their presence; anyone can be given the word or put on the list. */
export function People({ view, send }: { view: View; send: Sender["send"] }) {
  const texts = useTexts();
  const root = useRef<HTMLDivElement>(null);
  const [search, setSearch] = useState("");
  useKeptFocus(root);
  const people = choosePeople(view.people, search);
  return (
    <div class="people" ref={root}>
      <AlarmNote alarm={view.alarm} />
      <div class="kern-form-input search">
        <label class="kern-label" for="search">
          {texts.panel.search}
        </label>
        <input
          id="search"
          class="kern-form-input__input"
          type="search"
          autocomplete="off"
          placeholder={texts.panel.searchHint}
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        <p class="found" role="status">
          {people.length === 0 ? texts.panel.nobodyFound : texts.panel.found(people.length)}
        </p>
      </div>
      <ul class="rows" role="list" aria-label={texts.panel.tabs.people}>
        {people.map((person) => (
          <Row key={person.id} person={person} view={view} send={send} texts={texts} />
        ))}
      </ul>
    </div>
  );
}

function Row({ person, view, send, texts }: { person: Person; view: View; send: Sender["send"]; texts: Texts }) {
  const { id, name } = person;
  const speaks = view.speakers.some((s) => s.person === id);
  const place = view.requests.findIndex((r) => r.person === id);
  return (
    <li class={`row person person-${person.presence}`} data-row={id} data-person={id}>
      <div class="who">
        <span class="name">{name}</span>
        <span class="about">
          <PresenceMark person={person} />
          {person.role !== "member" && <span>{texts.role[person.role]}</span>}
          {person.group && <span>{person.group}</span>}
          {person.seat && <span>{texts.origin.seat(person.seat)}</span>}
        </span>
        {person.media && (
          <details class="leg">
            <summary aria-label={texts.panel.detailsOf(name)}>{texts.panel.details}</summary>
            <LegDetails leg={person.media} texts={texts} />
          </details>
        )}
      </div>
      {(speaks || place >= 0) && <span class="standing">{speaks ? texts.panel.hasWord : texts.panel.listed(place + 1)}</span>}
      <div class="row-actions">
        {speaks ? (
          <Button label={texts.panel.withdrawFrom(name)} action="withdraw" onClick={() => void send("withdraw", { person: id })}>
            {texts.panel.withdraw}
          </Button>
        ) : (
          <Button
            label={texts.panel.grantTo(name)}
            action="grant"
            disabled={view.alarm !== null}
            describedBy={view.alarm ? ALARM_NOTE : undefined}
            onClick={() => void send("grant", { person: id })}
          >
            {texts.panel.grant}
          </Button>
        )}
        {!speaks && place < 0 && (
          <Button kind="tertiary" label={texts.panel.toListWho(name)} action="to-list" onClick={() => void send("request", { person: id, queue: true })}>
            {texts.panel.toList}
          </Button>
        )}
      </div>
    </li>
  );
}

/** What a media connection carries and how it is encrypted. */
export function LegDetails({ leg, texts }: { leg: Leg; texts: Texts }) {
  const words = texts.panel.leg;
  const yes = (value: boolean) => (value ? texts.panel.yes : texts.panel.no);
  const lines: [string, string][] = [
    [words.publishes, yes(leg.publishes)],
    [words.plays, yes(leg.plays)],
    [words.audio, yes(leg.audio)],
    [words.video, yes(leg.video)],
    [words.dtls, leg.dtls || texts.panel.unknown],
    [words.cipher, leg.cipher || texts.panel.unknown],
    [words.srtp, leg.srtp || texts.panel.unknown],
  ];
  return (
    <dl class="facts">
      {lines.map(([key, value]) => (
        <div key={key}>
          <dt>{key}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
