// Declarations of `bellwire/bell`.
import type { BellwireBell } from "./types/bell.js";

export { BellwireBell } from "./types/bell.js";
export type { PushTexts } from "./types/bell/push-texts.js";
export type { Text, Texts } from "./types/bell/texts.js";
export type * from "./types.js";

declare global {
  interface HTMLElementTagNameMap {
    "bellwire-bell": BellwireBell;
  }
}
