import { useLinkToken } from "../shared/token";
import { Plain } from "../shared/ui";
import { useTexts } from "../texts";
import { Member } from "./member";

/** The page behind a member's personal link. */
export function App() {
  const texts = useTexts();
  const token = useLinkToken();
  if (token === "") {
    return (
      <Plain title={texts.member.badLink.title}>
        <p class="kern-body">{texts.member.badLink.body}</p>
      </Plain>
    );
  }
  return <Member key={token} token={token} />;
}
