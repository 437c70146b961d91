/** Parts of a long page that are rendered when they come near the window. */

import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

/** The distance to the window at which they are rendered, in pixels. */
const NEAR = 1_200;

/** Shows its children once they are near, and until then a space of about their height. */
export function Lazily(props: { height: number; children: () => ComponentChildren }) {
  const [isNear, setNear] = useState(false);
  const space = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = space.current;
    if (!element) return undefined;
    const observer = new IntersectionObserver(
      (entries) => {
        if (!entries.some(({ isIntersecting }) => isIntersecting)) return;
        observer.disconnect();
        setNear(true);
      },
      { rootMargin: `${NEAR}px` },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  if (isNear) return <>{props.children()}</>;
  return <div ref={space} style={{ height: `${props.height}px` }} />;
}
