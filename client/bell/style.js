// How the button looks, and the dialog before there is a list in it. Colours follow the page's `color-scheme`; sizes
// its font, but never below 14 px.
import { sheet } from "./dom.js";

/** One for all bells of a page. */
export const styles = sheet(`
:host{display:inline-block;vertical-align:middle;
--accent:var(--bellwire-accent,light-dark(#1f5fd6,#8ab4ff));
--surface:var(--bellwire-surface,light-dark(#fff,#1e2127));
--text:var(--bellwire-text,light-dark(#1a1d23,#eceef2));
--muted:var(--bellwire-muted,light-dark(#5c6370,#a6adba));
--line:var(--bellwire-line,light-dark(#e3e6eb,#363b44))}
:host([hidden]),[hidden]{display:none!important}
.all{display:contents}
button{font:inherit;color:inherit;background:none;border:0;margin:0;padding:0;cursor:pointer}
:focus-visible{outline:2px solid var(--accent);outline-offset:-2px}
svg{display:block;width:1em;height:1em;fill:none;stroke:currentColor;stroke-width:1.75;stroke-linecap:round;stroke-linejoin:round}
.bell{position:relative;display:grid;place-items:center;width:40px;height:40px;border-radius:50%;font-family:var(--bellwire-font,inherit)}
.bell svg{font-size:24px}
.badge{position:absolute;top:0;inset-inline-start:55%;box-sizing:border-box;min-width:18px;padding:0 5px;border-radius:9px;font-size:11px;font-weight:600;line-height:18px;text-align:center;white-space:nowrap;font-variant-numeric:tabular-nums;background:var(--bellwire-badge,#d02a1e);color:var(--bellwire-on-badge,#fff)}
:host(:state(offline)) .bell svg{opacity:.5}
.box{box-sizing:border-box;color:var(--text);background:var(--surface);border:1px solid var(--line);border-radius:var(--bellwire-radius,12px);box-shadow:0 2px 6px #0000000f,0 12px 32px #0000002e;font-family:var(--bellwire-font,inherit);font-size:max(.875rem,14px);line-height:1.4;text-align:start}
.panel{--w:min(var(--bellwire-width,24rem),100% - 16px);position:fixed;margin:0;padding:0;overflow:hidden;inset:auto;left:clamp(8px,var(--x),100% - 8px - var(--w));width:var(--w);max-height:min(36rem,var(--h));flex-direction:column}
.panel:popover-open{display:flex}
.panel:focus-visible{outline-offset:0}
.header,.status{display:flex;align-items:center;justify-content:space-between;gap:12px;min-height:2.2em;padding:12px;padding-inline:16px 8px;border-bottom:1px solid var(--line)}
h2{margin:0;font-size:1.145em;font-weight:650}
.text{padding:6px 8px;border-radius:6px;color:var(--accent);font-size:.93em;font-weight:500}
.text:hover,.bell:hover,.bell[aria-expanded=true]{background:color-mix(in srgb,currentColor 10%,transparent)}
.status{padding-block:6px;color:var(--muted);font-size:.93em;background:color-mix(in srgb,var(--muted) 8%,transparent)}
.status .text{font-size:1em}
.scroll{overflow-y:auto;overscroll-behavior:contain;flex:1;min-height:0}
.skeleton div{padding:14px 28px}
.skeleton i{display:block;height:10px;border-radius:5px;background:color-mix(in srgb,var(--muted) 18%,transparent)}
.skeleton i+i{width:60%;margin-top:10px}
[role=status]{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
::slotted([slot=header]){margin:0}
::slotted([slot=footer]){display:block;margin:0;padding:10px 16px;border-top:1px solid var(--line);color:var(--accent);font-size:.93em;text-align:center}
@media (forced-colors:active){.badge{forced-color-adjust:none;background:Highlight;color:HighlightText}}
@media (prefers-reduced-motion:no-preference){
.panel{transition:opacity .15s,translate .15s}
@starting-style{.panel:popover-open{opacity:0;translate:0 -6px}}
.skeleton{animation:pulse 1.6s ease-in-out infinite}
@keyframes pulse{50%{opacity:.5}}}
`);
