import { useEffect, useState } from "preact/hooks";
import type { First } from "../shared/service";
import { FirstBoot, mustSetUp, useFirst } from "./first";
import { Panel } from "./panel";
import { PinPage } from "./pin";

const KEY = "plenum.chair";

/** The chair's panel: signs in by PIN; the token lives as long as this browser tab. */
export function App() {
  const [token, setToken] = useState(() => sessionStorage.getItem(KEY));
  const [ended, setEnded] = useState(false);
  useEffect(() => {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
  }, [token]);
  const signedOut = (byBox: boolean) => {
    setEnded(byBox);
    setToken(null);
  };
  if (!token) return <Entrance ended={ended} onToken={setToken} />;
  return <Panel key={token} token={token} onSignedOut={signedOut} />;
}

/** Where nobody is signed in: a box that belongs to nobody is taken into service first. */
function Entrance({ ended, onToken }: { ended: boolean; onToken: (token: string) => void }) {
  const { lacks, tell } = useFirst();
  const [fresh, setFresh] = useState(false);
  const done = (first: First) => {
    setFresh(first.owner && first.chair);
    tell(first);
  };
  if (mustSetUp(lacks)) return <FirstBoot lacks={lacks} onDone={done} />;
  return <PinPage ended={ended} fresh={fresh} onToken={onToken} />;
}
