// What is checked on every page that is shown: axe, the size of touch targets, sideways scrolling.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const TARGET = 44; // CSS pixels

/** Complaints about the page as it stands now; empty when all is well. */
export async function complaints(page) {
  await page.mouse.move(0, 0);
  // evaluate runs in the page's world but is not bound by its Content-Security-Policy, so the page keeps its own.
  await page.evaluate(AXE);
  // Only what is violated is worked out and sent in full; what passes is not looked at.
  const violations = await page.evaluate(async (tags) => (await window.axe.run(document, { runOnly: tags, resultTypes: ["violations"] })).violations, TAGS);
  const list = violations.flatMap((v) => v.nodes.map((n) => `axe ${v.id}: ${n.target.join(" ")} ${n.any[0]?.message ?? n.html.slice(0, 120)}`));
  return [...list, ...(await page.evaluate(measure, TARGET))];
}

function measure(target) {
  const list = [];
  for (const element of document.querySelectorAll("button, a[href], input, select, summary, [role=tab]")) {
    const outer = element.matches("input[type=radio], input[type=checkbox]") ? element.closest("label") : element;
    const { width, height } = outer.getBoundingClientRect();
    if (width === 0 && height === 0) continue;
    if (Math.round(height) < target || Math.round(width) < target) list.push(`target ${Math.round(width)}x${Math.round(height)}: ${outer.outerHTML.slice(0, 100)}`);
  }
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  if (over > 0) list.push(`the page is ${over} px wider than the window`);
  return list;
}
