import { useEffect, useState } from "preact/hooks";

/** The token of a personal link; it stands in the fragment, which a browser never sends to anybody. */
export function useLinkToken(): string {
  const [token, setToken] = useState(() => location.hash.slice(1));
  useEffect(() => {
    const changed = () => setToken(location.hash.slice(1));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return token;
}
