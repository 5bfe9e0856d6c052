// Line icons on a 24-unit grid, drawn for these pages. They are decoration: the word beside them says the same.
const paths = {
  seat: "M6 11V5a2 2 0 0 1 2-2h8a2 2 0 0 1 2 2v6M4 11h16v5H4zM7 16v5M17 16v5",
  remote: "M3 5h18v11H3zM8 20h8M12 16v4",
  text: "M4 5h16v11H9l-5 4z",
  mic: "M12 3a3 3 0 0 1 3 3v5a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3zM5 11a7 7 0 0 0 14 0M12 18v3M8 21h8",
  micOff: "M15 9V6a3 3 0 0 0-6 0M9 9v2a3 3 0 0 0 4.500 2.600M5 11a7 7 0 0 0 11 5.700M19 11a7 7 0 0 1-.600 2.800M12 18v3M8 21h8M4 3l16 18",
  hand: "M8 12V5.500a1.500 1.500 0 0 1 3 0V11M11 10V4a1.500 1.500 0 0 1 3 0v7M14 10.500V5.500a1.500 1.500 0 0 1 3 0V14c0 4-2 7-6 7-3 0-4.500-1.500-6-4l-2-3.500a1.500 1.500 0 0 1 2.500-1.600L8 14.500",
  up: "M12 19V5M6 11l6-6 6 6",
  down: "M12 5v14M6 13l6 6 6-6",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  close: "M6 6l12 12M18 6L6 18",
  next: "M5 12h13M12 6l6 6-6 6",
  clock: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 8v4.500l3 2",
  warning: "M12 4l9 16H3zM12 10v4M12 17v.500",
  swap: "M4 8h14M14 4l4 4-4 4M20 16H6M10 12l-4 4 4 4",
  back: "M9 6l-5 6 5 6h11V6zM12 10l4 4M16 10l-4 4",
  check: "M5 12l5 5 9-10",
  people: "M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM3 20c0-4 3-6 6-6s6 2 6 6M16 5.500a3 3 0 0 1 0 5.500M17 14c2.500.500 4 2.500 4 6",
  priority: "M4 10v4h3l6 4V6L7 10zM17 9a4 4 0 0 1 0 6M19.500 6.500a8 8 0 0 1 0 11",
  sound: "M4 10v4h3l6 4V6L7 10zM17 9a4 4 0 0 1 0 6",
  list: "M9 6h11M9 12h11M9 18h11M4 6h1M4 12h1M4 18h1",
  camera: "M3 7h12v10H3zM15 11l6-3v8l-6-3",
  question: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM9.500 9.500a2.500 2.500 0 1 1 3.500 2.300c-.700.300-1 .800-1 1.700M12 16.500v.500",
  info: "M12 4a8 8 0 1 1 0 16 8 8 0 0 1 0-16zM12 11v5M12 8v.100",
  stop: "M8.500 4h7L20 8.500v7L15.500 20h-7L4 15.500v-7zM12 8v5M12 16v.100",
  stick: "M8 10h8v9a2 2 0 0 1-2 2h-4a2 2 0 0 1-2-2zM9 10V4h6v6M11 6.500v.100M13 6.500v.100",
  restart: "M19 12a7 7 0 1 1-2.200-5.100M17 3v4h-4",
  absent: "M5 12h14",
  waiting: "M6 12h.100M12 12h.100M18 12h.100",
};

export type IconName = keyof typeof paths;

export function Icon({ name, large = false }: { name: IconName; large?: boolean }) {
  return (
    <svg class={large ? "icon icon-large" : "icon"} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}
