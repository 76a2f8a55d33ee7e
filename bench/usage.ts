/** A child says its port once it listens, and its CPU time (microseconds) and memory (bytes) whenever asked. */
export function reportUsage(port: number): void {
  process.send?.({ port });
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpu: user + system, rss: process.memoryUsage.rss() });
  });
  process.on("disconnect", () => process.exit());
}
