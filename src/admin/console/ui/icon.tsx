// Pictures beside words: paths on a grid of 24.
const PATHS = {
  overview: "M4 13h6V4H4zM14 20h6v-9h-6zM4 20h6v-3H4zM14 7h6V4h-6z",
  send: "M21 3 10 14M21 3l-7 18-4-7-7-4z",
  why: "M9.1 9a3 3 0 1 1 4.4 2.6c-.9.5-1.5 1.2-1.5 2.4M12 17.5v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18z",
  devices: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM11 18h2",
  users: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 20c.8-3.4 4-5 8-5s7.200 1.600 8 5",
  topics: "M5 9h14M5 15h14M10 4 8 20M16 4l-2 16",
  notifications: "M6 16V11a6 6 0 1 1 12 0v5l2 2H4zM10 21h4",
  failures:
    "M12 9v4M12 16.500v.1M10.300 4.200 2.900 17.500A2 2 0 0 0 4.600 20.500h14.800a2 2 0 0 0 1.700-3L13.700 4.200a2 2 0 0 0-3.400 0z",
  vendors: "M4 7h10M4 12h16M4 17h7M18 4l3 3-3 3M15 14l3 3-3 3",
  hooks: "M12 13a4 4 0 1 1 4-4M8.500 10.500 5 16.500a3 3 0 1 0 4 3h7a3 3 0 1 0 0-3",
  statistics: "M4 20V4M4 20h16M8 16l4-5 3 3 5-7",
  connections:
    "M9 12a3 3 0 0 0 4.500 2.600l4-2.300a3 3 0 1 0-3-5.200l-1.500.9M15 12a3 3 0 0 0-4.500-2.600l-4 2.300a3 3 0 1 0 3 5.200l1.500-.9",
  trace: "M3 12h4l3-8 4 16 3-8h4",
  playground: "M5 4h14v12H9l-4 4z",
  configuration: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  backups: "M4 6c0-3.500 16-3.500 16 0s-16 3.500-16 0zM4 6v12c0 3.500 16 3.500 16 0V6M4 12c0 3.500 16 3.500 16 0",
  people:
    "M9 11a3.500 3.500 0 1 0 0-7 3.500 3.500 0 0 0 0 7zM3 20c.500-3.500 2.800-5 6-5s5.500 1.500 6 5M16 4.500a3.500 3.500 0 0 1 0 6.500M17.500 15.300c2 .600 3.200 2.200 3.500 4.700",
  audit: "M7 3h10v18l-5-3-5 3zM10 8h4M10 12h4",
  reference: "M4 5c3-1 6-.500 8 1 2-1.500 5-2 8-1v14c-3-1-6-.500-8 1-2-1.500-5-2-8-1zM12 6v14",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zM20.500 20.500 16 16",
  menu: "M4 7h16M4 12h16M4 17h16",
  close: "M6 6l12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  more: "M9 5l7 7-7 7",
  good: "M5 12.500 10 17 19 7",
  sun: "M12 16a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.400 1.400M17.600 17.600 19 19M19 5l-1.400 1.400M6.400 17.600 5 19",
  moon: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500z",
} as const;

export type IconName = keyof typeof PATHS;

export const Icon = ({ name }: { readonly name: IconName }) => (
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <path d={PATHS[name]} />
  </svg>
);
