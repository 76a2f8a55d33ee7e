export { loadConfig } from "./config/load.ts";
export type { ChainConfig, Config, Fault, GatewayConfig, GatewayLimits, Loaded, Operator } from "./config/types.ts";
