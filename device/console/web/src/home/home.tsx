import { useEffect } from "preact/hooks";
import { LanguageSwitch } from "../shared/ui";
import { useTexts } from "../texts";

/** The front page: what stands here, and the ways in. */
export function Home() {
  const texts = useTexts();
  const t = texts.home;
  useEffect(() => {
    document.title = t.title;
  }, [t]);
  return (
    <div class="home">
      <div class="plain-top">
        <LanguageSwitch />
      </div>
      <main>
        <h1 class="kern-heading-large">{t.title}</h1>
        <p class="home-intro">{t.intro}</p>
        <section class="home-card home-card-main">
          <h2>{t.panel.title}</h2>
          <p>{t.panel.body}</p>
          <a class="kern-btn kern-btn--primary" href="/panel">
            <span class="kern-label">{t.panel.link}</span>
          </a>
        </section>
        <section class="home-card">
          <h2>{t.member.title}</h2>
          <p>{t.member.body}</p>
        </section>
        <section class="home-card">
          <h2>{t.screen.title}</h2>
          <p>{t.screen.body}</p>
        </section>
        <section class="home-card">
          <h2>{t.ca.title}</h2>
          <p>{t.ca.body}</p>
          <a class="kern-link" href="/api/v1/ca.pem" download="plenum-ca.pem">
            {t.ca.link}
          </a>
        </section>
      </main>
    </div>
  );
}
