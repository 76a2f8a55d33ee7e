import { el } from "./dom.js";

/** As it would stand in a page of acme's. */
const example = {
  number: "+3225887123",
  credentials: "/sip-credential",
  server: "wss://sip.acme.example:8443",
  jssip: "/jssip.js",
  label: "Talk to us",
};

/** The same tag with this demo's addresses, which are known by now only. @param {import("./visit.js").Visit} visit */
export function showButton({ line, url }) {
  const script = document.createElement("script");
  script.src = "/demo/call.js";
  const credentials = `/demo/credential?line=${line}`;
  Object.assign(script.dataset, { ...example, credentials, server: url, jssip: "/demo/jssip.js" });
  el("call-button").append(script);
  const attributes = Object.entries(example).map(([name, value]) => `  data-${name}="${value}"`);
  el("tag").textContent = `<script src="/call.js"\n${attributes.join("\n")}></script>`;
}
