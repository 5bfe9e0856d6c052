import { defineConfig } from "vite";
import { usedKern } from "./tools/used-kern.js";

const page = (name) => new URL(`./${name}.html`, import.meta.url).pathname;

// Vitest's reporter tells of failed tests by Map.groupBy, which Node 20 has not got yet.
Map.groupBy ??= (items, keyOf) => {
  const groups = new Map();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
};

// Four pages, shared hashed assets. Nothing is inlined: the console's Content-Security-Policy allows neither
// inline scripts nor inline styles. dist/.keep comes from public/, so that the folder exists for go:embed.
export default defineConfig({
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ["index", "panel", "member", "screen"].map(page) },
  },
  css: { postcss: { plugins: [usedKern(new URL("./src", import.meta.url).pathname)] } },
  // A limit for a machine that has other things to do; no test waits for it.
  test: { testTimeout: 60_000, hookTimeout: 60_000, isolate: false, include: ["test/unit/**/*.test.ts"], environment: "node" },
});
