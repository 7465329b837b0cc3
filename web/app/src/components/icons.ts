import { svg, html, type TemplateResult } from 'lit';

/** One set of line icons, drawn for this app on a grid of 24. */
const PATHS = {
  phone: svg`<path d="M5 4h3.6l1.9 4.8-2.4 1.6a12 12 0 0 0 5.5 5.5l1.6-2.4L20 15.400V19a2 2 0 0 1-2.100 2A15.900 15.900 0 0 1 3 6.100 2 2 0 0 1 5 4z"/>`,
  end: svg`<path d="M3.200 13.300c5-4.900 12.600-4.900 17.600 0l-2.700 3.200-3.800-1.800v-2.800a9 9 0 0 0-4.600 0v2.800l-3.800 1.800z"/>`,
  calls: svg`<circle cx="12" cy="12" r="8.500"/><path d="M12 7.200V12l3.200 2"/>`,
  contacts: svg`<circle cx="12" cy="8.200" r="3.800"/><path d="M4.500 20.200c.7-3.900 3.700-6 7.500-6s6.800 2.100 7.500 6"/>`,
  settings: svg`<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2"/><circle cx="9" cy="17" r="2"/>`,
  search: svg`<circle cx="10.800" cy="10.800" r="6.300"/><path d="M20 20l-4.500-4.500"/>`,
  keypad: svg`<g stroke-width="3"><path d="M5.500 5h.01M12 5h.01M18.500 5h.01M5.500 12h.01M12 12h.01M18.500 12h.01M5.500 19h.01M12 19h.01M18.500 19h.01"/></g>`,
  mic: svg`<path d="M9 6a3 3 0 0 1 6 0v5a3 3 0 0 1-6 0z"/><path d="M5.500 11a6.500 6.500 0 0 0 13 0M12 17.500V21"/>`,
  micOff: svg`<path d="M15 9.500V6a3 3 0 0 0-5.800-1.100M9 9v2a3 3 0 0 0 4.600 2.500M5.500 11a6.500 6.500 0 0 0 10.300 5.300M18.500 11a6.500 6.500 0 0 1-.6 2.700M12 17.500V21M4 3.500l16.500 17"/>`,
  pause: svg`<path d="M8.500 5.500v13M15.500 5.500v13"/>`,
  play: svg`<path d="M8 5.200l10.500 6.800L8 18.800z"/>`,
  speaker: svg`<path d="M4 9.500v5h3.500l4.500 4v-13l-4.500 4z"/><path d="M15.500 9a4.200 4.200 0 0 1 0 6M18.200 6.500a8 8 0 0 1 0 11"/>`,
  add: svg`<path d="M12 5v14M5 12h14"/>`,
  transfer: svg`<path d="M4 12h15M13.500 6l6 6-6 6"/>`,
  merge: svg`<path d="M6 4v4c0 3 6 3.500 6 7v5M18 4v4c0 3-6 3.500-6 7"/>`,
  split: svg`<path d="M12 20v-5c0-3.500-6-4-6-7V4M12 15c0-3.500 6-4 6-7V4M3.500 6.500L6 4l2.500 2.500M15.500 6.500L18 4l2.500 2.500"/>`,
  swap: svg`<path d="M8 19.500V5M4.500 8.500L8 5l3.500 3.500M16 4.500V19M12.500 15.500L16 19l3.500-3.500"/>`,
  bell: svg`<path d="M6 16.500V11a6 6 0 0 1 12 0v5.500l1.500 1.500h-15zM10 20.500a2.200 2.200 0 0 0 4 0"/>`,
  star: svg`<path d="M12 4.200l2.400 4.900 5.400.8-3.900 3.800.9 5.300-4.800-2.500L7.200 19l.9-5.300-3.900-3.800 5.400-.8z"/>`,
  starFull: svg`<path fill="currentColor" d="M12 4.200l2.400 4.900 5.400.8-3.900 3.800.9 5.300-4.800-2.500L7.200 19l.9-5.300-3.900-3.800 5.400-.8z"/>`,
  incoming: svg`<path d="M18 6L7 17M7 8.500V17h8.500"/>`,
  outgoing: svg`<path d="M6 18L17 7M8.500 7H17v8.500"/>`,
  missed: svg`<path d="M4 6l8 8 8-8M4 11.500V6h5.500"/>`,
  backspace: svg`<path d="M9 5.500h11v13H9L3.500 12zM12 9.500l5 5M17 9.500l-5 5"/>`,
  close: svg`<path d="M6 6l12 12M18 6L6 18"/>`,
  check: svg`<path d="M5 12.500l4.500 4.500L19 7.500"/>`,
  trash: svg`<path d="M5 7h14M10 7V4.500h4V7M7 7l.8 12.500h8.400L17 7M10.500 11v5M13.500 11v5"/>`,
  download: svg`<path d="M12 4v11M7.500 11l4.500 4.500 4.500-4.500M5 20h14"/>`,
  wifi: svg`<path d="M2.500 9.200a14.500 14.500 0 0 1 19 0M5.800 12.800a9.600 9.600 0 0 1 12.400 0M9 16.300a4.800 4.800 0 0 1 6 0M12 19.600h.01"/>`,
  wifiOff: svg`<path d="M2.500 9.200a14.500 14.500 0 0 1 4-2.500M10.500 5.600a14.500 14.500 0 0 1 11 3.600M5.800 12.800a9.600 9.600 0 0 1 4-2.200M14.500 10.700a9.600 9.600 0 0 1 3.700 2.100M9 16.300a4.800 4.800 0 0 1 6 0M12 19.600h.01M4 3.500l16 17"/>`,
  warning: svg`<path d="M12 4.500L21 19.500H3zM12 10v4.500M12 17h.01"/>`,
  info: svg`<circle cx="12" cy="12" r="8.500"/><path d="M12 11v5M12 8h.01"/>`,
  keyboard: svg`<rect x="3" y="6" width="18" height="12" rx="2"/><path d="M7 10h.01M11 10h.01M15 10h.01M17.500 10h.01M7 14h10"/>`,
  signOut: svg`<path d="M14 4.500H6v15h8M10.500 12H20M16.500 8.500L20 12l-3.500 3.500"/>`,
  devices: svg`<path d="M3 5.500h13v3M3 5.500V15h10M5.500 19H13"/><rect x="15.500" y="10.500" width="5.500" height="9" rx="1.200"/>`,
  chevron: svg`<path d="M9.500 6l6 6-6 6"/>`,
  record: svg`<circle cx="12" cy="12" r="5.500" fill="currentColor"/>`,
} as const;

export type IconName = keyof typeof PATHS;

/** Decorative: the control's name says what it means. */
export function icon(name: IconName): TemplateResult {
  return html`<svg viewBox="0 0 24 24" aria-hidden="true" focusable="false">${PATHS[name]}</svg>`;
}
