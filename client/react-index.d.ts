// Declarations of `bellwire/react`, and of `<bellwire-bell>` in JSX.
import type { DetailedHTMLProps, HTMLAttributes } from "react";
import type { BellwireBell } from "./types/bell.js";

export * from "./types/react.js";

type Own = "client" | "token" | "texts" | "renderItem" | "toHref";

declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      "bellwire-bell": DetailedHTMLProps<HTMLAttributes<BellwireBell>, BellwireBell> &
        Partial<Pick<BellwireBell, Own>> & {
          hub?: string;
          functions?: string;
          user?: string;
          "token-src"?: string;
          max?: number | string;
          push?: boolean | string;
          toasts?: boolean;
          placement?: "bottom-end" | "bottom-start" | "top-end" | "top-start";
        };
    }
  }
}
