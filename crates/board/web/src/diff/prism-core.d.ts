/** The core of Prism alone has no types of its own. */
declare module "prismjs/components/prism-core" {
  import Prism from "prismjs";
  export default Prism;
}

declare module "prismjs/components/prism-*";
