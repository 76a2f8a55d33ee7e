/** A child says its port once it listens, collects its garbage when told to, and ends with its parent. */
export function listening(port: number): void {
  process.send?.({ port, seconds: process.uptime() });
  process.on("message", () => {
    globalThis.gc?.();
    process.send?.({ collected: true });
  });
  process.on("disconnect", () => process.exit());
}
