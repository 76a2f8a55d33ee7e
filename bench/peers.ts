import { type ChildProcess, fork, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Something between client and upstream, under measurement. */
export interface Peer {
  readonly name: string;
  readonly url: string;
  /** Its processes. */
  readonly pids: readonly number[];
  /** Collect garbage, where it has any, so that memory can be compared. */
  settle(): Promise<void>;
}

/** Of this folder. */
export interface ForkedPeer extends Peer {
  /** From its start until it listened. */
  readonly startSeconds: number;
}

/** Every process that was started ends with this one. */
const children: ChildProcess[] = [];

export function endAll(): void {
  for (const child of children) child.kill("SIGKILL");
}

/** A Node process of this folder. */
export async function forkPeer(name: string, file: string, args: readonly string[]): Promise<ForkedPeer> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], {
    execArgv: ["--expose-gc", "--disable-warning=ExperimentalWarning"],
    stdio: ["ignore", "inherit", "ignore", "ipc"],
  });
  children.push(child);
  const [{ port, seconds }] = (await answerOf(child)) as [{ port: number; seconds: number }];
  const settle = async (): Promise<void> => {
    child.send("collect");
    await once(child, "message");
  };
  return { name, url: `ws://127.0.0.1:${port}`, pids: [child.pid!], settle, startSeconds: seconds };
}

/** Rejects where the child ends instead. */
export const answerOf = (child: ChildProcess): Promise<unknown[]> =>
  Promise.race([
    once(child, "message"),
    once(child, "exit").then(([code]) => {
      throw new Error(`${child.spawnargs.join(" ")} ended with ${code}`);
    }),
  ]);

export const isInstalled = (command: string): boolean => spawnSync(command, ["-v"]).error === undefined;

/** One thread, as all others here: what is compared is the price of a message, not the number of cores. */
export function startHaproxy(upstream: string, dir: string): Promise<Peer> {
  return serve("haproxy", dir, (port) => [
    `global
  nbthread 1
  maxconn 8000
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
  timeout tunnel 1h
frontend public
  bind 127.0.0.1:${port}
  default_backend upstream
backend upstream
  server one ${new URL(upstream).host}
`,
    (file) => ["-db", "-f", file],
  ]);
}

export function startNginx(upstream: string, dir: string): Promise<Peer> {
  return serve("nginx", dir, (port) => [
    `daemon off;
master_process off;
pid ${dir}/nginx.pid;
error_log ${dir}/nginx.log;
events { worker_connections 16000; }
http {
  access_log off;
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  server {
    listen 127.0.0.1:${port};
    location / {
      proxy_pass http://${new URL(upstream).host};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
      proxy_read_timeout 1h;
      proxy_send_timeout 1h;
    }
  }
}
`,
    (file) => ["-p", dir, "-c", file],
  ]);
}

type Configuration = (port: number) => [text: string, args: (file: string) => string[]];

async function serve(command: string, dir: string, configuration: Configuration): Promise<Peer> {
  mkdirSync(dir, { recursive: true });
  const port = await freePort();
  const [text, args] = configuration(port);
  const file = join(dir, `${command}.conf`);
  writeFileSync(file, text);
  const child = spawn(command, args(file), { stdio: ["ignore", "ignore", "inherit"] });
  children.push(child);
  await reachable(port);
  return { name: command, url: `ws://127.0.0.1:${port}`, pids: [child.pid!], settle: () => Promise.resolve() };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** Neither says when it listens: it is asked until it answers. */
async function reachable(port: number): Promise<void> {
  const until = Date.now() + 10_000;
  while (!(await answers(port))) {
    if (Date.now() > until) throw new Error(`nothing listens on port ${port} after ten seconds`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
