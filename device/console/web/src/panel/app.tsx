import { useEffect, useState } from "preact/hooks";
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
  if (!token) return <PinPage ended={ended} onToken={setToken} />;
  return <Panel key={token} token={token} onSignedOut={signedOut} />;
}
