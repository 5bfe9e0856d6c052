import { useEffect, useState } from "preact/hooks";
import { de } from "./de";
import { en } from "./en";

export type Texts = typeof de;
export type Language = "de" | "en";
export type ProblemCode = keyof Texts["problem"];

const languages: Record<Language, Texts> = { de, en };
const KEY = "plenum.language";
const listeners = new Set<() => void>();

/** The language of this browser: from ?lang= (for a screen that nobody touches), else as chosen before, else German. */
export function language(): Language {
  const asked = new URLSearchParams(location.search).get("lang") ?? stored();
  return asked === "en" ? "en" : "de";
}

/** Chooses the language for this browser for good. */
export function chooseLanguage(next: Language): void {
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // storage is switched off: the choice lasts as long as the page
  }
  chosen = next;
  for (const listener of listeners) listener();
}

let chosen: Language | null = null;

/** The texts in the language of this browser; the component is drawn again when it changes. */
export function useTexts(): Texts {
  const [current, setCurrent] = useState<Language>(() => chosen ?? language());
  useEffect(() => {
    const changed = () => setCurrent(chosen ?? language());
    listeners.add(changed);
    return () => void listeners.delete(changed);
  }, []);
  useEffect(() => {
    document.documentElement.lang = current;
  }, [current]);
  return languages[current];
}

/** The texts in the other language, for what everybody in a hall must understand. */
export function otherTexts(texts: Texts): Texts {
  return texts === de ? en : de;
}

/** The words for a problem code; an unknown code is told as an internal error. */
export function problemText(texts: Texts, code: string): string {
  return code in texts.problem ? texts.problem[code as ProblemCode] : texts.problem.internal;
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}
