// How the list, its notifications and the toasts look: behind what style.js says.
import { sheet } from "./dom.js";

const styles = sheet(`
.header .text{text-align:end}
.text[aria-disabled=true]{color:var(--muted);background:none;cursor:default}
.feed{margin-top:-1px}
.item{contain:layout style;position:relative;display:flex;gap:4px;align-items:start;padding:12px;padding-inline:28px 8px;border-top:1px solid var(--line)}
.item:is(:hover,:focus-within){z-index:1}
.item:hover{background:color-mix(in srgb,var(--text) 4%,var(--surface))}
.fresh{background:color-mix(in srgb,var(--accent) 6%,var(--surface))}
.fresh:hover{background:color-mix(in srgb,var(--accent) 10%,var(--surface))}
.unseen{position:absolute;top:18px;inset-inline-start:12px;width:8px;height:8px;border-radius:50%;overflow:hidden;color:transparent;font-size:1px;background:var(--accent)}
.unseen:empty{display:none}
.content{flex:1;min-width:0;overflow-wrap:anywhere}
.title{color:inherit;text-decoration:none;text-align:start}
.title::after{content:""}
.title:empty,.title::after{position:absolute;inset:0}
.title:focus-visible{outline:0}
.title:focus-visible::after{outline:2px solid var(--accent);outline-offset:-2px}
.fresh .title,.toast .title{font-weight:600}
.content :is(a,button,input,select,textarea):not(.title){position:relative;z-index:1}
.body{margin-top:2px;color:var(--muted);display:-webkit-box;-webkit-box-orient:vertical;-webkit-line-clamp:3;overflow:hidden;white-space:pre-line}
time{display:block;margin-top:4px;color:var(--muted);font-size:.86em}
.icon{position:relative;z-index:1;flex:none;padding:6px;margin:-3px 0;border-radius:6px;color:var(--muted);font-size:16px}
.more{display:block;margin:8px auto}
.empty{padding:48px 24px;text-align:center;color:var(--muted)}
.empty svg{margin:0 auto;padding:14px;font-size:28px;border-radius:50%;background:color-mix(in srgb,var(--muted) 12%,transparent);box-sizing:content-box}
.empty p{margin:12px 0 0}
.toasts{position:fixed;inset:auto;bottom:16px;inset-inline-end:16px;margin:0;padding:0;border:0;width:min(22rem,100% - 32px);overflow:visible;background:none}
.toast{margin-top:8px;padding-inline-start:16px}
.icon:hover{background:color-mix(in srgb,currentColor 10%,transparent)}
@media (hover:hover){.panel .icon{opacity:0}.item:is(:hover,:focus-within) .icon{opacity:1}}
@media (forced-colors:active){.unseen{forced-color-adjust:none;background:Highlight;color:Highlight}.text[aria-disabled=true]{color:GrayText}}
@media (prefers-reduced-motion:no-preference){
.toast{transition:opacity .15s,translate .15s}
@starting-style{.toast{opacity:0;translate:0 12px}}
.icon{transition:opacity .1s}}
`);

/** @param {ShadowRoot} root */
export const addStyle = (root) => void root.adoptedStyleSheets.push(styles());
