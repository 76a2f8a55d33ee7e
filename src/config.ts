export { loadConfig } from "./config/load.ts";
export { storeTls } from "./config/store-url.ts";
export type { ChainConfig, Config, Fault, GatewayConfig, Loaded, Operator } from "./config/types.ts";
