import { useEffect } from "preact/hooks";
import { useLive, useNow } from "../shared/hooks";
import { useLinkToken } from "../shared/token";
import { useTexts } from "../texts";
import { Screen, Slate } from "./screen";

/** The hall screen: nobody touches it, so it never waits for anybody. */
export function App() {
  const texts = useTexts();
  const token = useLinkToken();
  useEffect(() => {
    document.title = `${texts.screen.title} – ${texts.product}`;
  }, [texts]);
  if (token === "") return <Slate title={texts.screen.badLink} />;
  return <Following key={token} token={token} />;
}

function Following({ token }: { token: string }) {
  const texts = useTexts();
  const { state, live } = useLive(token);
  const now = useNow(state.offset);
  if (state.end === "unauthorized" || state.end === "revoked") return <Slate title={texts.screen.badLink} />;
  if (state.end === "replaced") return <Slate title={texts.screen.replaced} />;
  if (state.view === null) return <Slate title={texts.loading} />;
  // Out of date is worse than nothing in front of an assembly: no name stands there that may be wrong. Only an alarm
  // stays: what broke the connection may be its cause.
  if (state.stale && state.view.alarm === null) return <Slate title={texts.screen.lost} hint={texts.screen.lostHint} />;
  return <Screen token={token} view={state.view} now={now} stale={state.stale} snapshots={state.snapshots} current={() => live.state.view} />;
}
