import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FUNCTIONAL = /:(?:not|is|has|where)\((?:[^()]|\([^()]*\))*\)/g;
const CLASS = /\.(kern-[\w-]+)/g;

/** Names of all KERN classes that the sources mention. */
function mentioned(folder) {
  const names = new Set();
  for (const file of readdirSync(folder, { recursive: true })) {
    if (!/\.(tsx?|css)$/.test(file)) continue;
    for (const [name] of readFileSync(join(folder, file), "utf8").matchAll(/kern-[\w-]+/g)) names.add(name);
  }
  return names;
}

/**
 * A PostCSS plugin that drops the rules of KERN components which no page uses: 340 kB become about a fifth, which
 * a small panel computer parses in a fifth of the time. Tokens and element rules stay.
 */
export function usedKern(folder) {
  return {
    postcssPlugin: "used-kern",
    Once(root) {
      const used = mentioned(folder);
      const wanted = (selector) => [...selector.replace(FUNCTIONAL, "").matchAll(CLASS)].every(([, name]) => used.has(name));
      root.walkRules((rule) => {
        if (rule.parent?.type === "atrule" && /keyframes$/.test(rule.parent.name)) return;
        const kept = rule.selectors.filter(wanted);
        if (kept.length === 0) rule.remove();
        else if (kept.length < rule.selectors.length) rule.selectors = kept;
      });
      root.walkAtRules((at) => {
        if (at.nodes?.length === 0) at.remove();
      });
    },
  };
}
