# The gateway: Node 24 and the packages by package-lock.json, production only. Nothing of the build stays in it.
# BASE: any Debian 12, so that one of one's own making serves where no image registry is at hand (docs/containers.md).
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
ARG DEBIAN_FRONTEND=noninteractive
RUN apt-get update -q \
 && apt-get install -q -y --no-install-recommends ca-certificates npm \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /out/usr/lib/postern
COPY package.json package-lock.json ./
# No install script runs. Node's own package becomes the image's node; .bin would only hold links to what is gone.
RUN npm ci --omit=dev --include=optional --ignore-scripts --no-audit --no-fund --loglevel=error \
 && mkdir -p /out/usr/local/bin \
 && mv node_modules/node-linux-*/bin/node /out/usr/local/bin/node \
 && rm -rf node_modules/.bin node_modules/node-linux-* \
 && find node_modules -type d -empty -delete \
 && ln -s ../../lib/postern/src/cli/main.ts /out/usr/local/bin/postern
COPY LICENSE ./
COPY src ./src
COPY kamailio/local.cfg.example ./kamailio/
# A trunk to try calls with, of docker-compose.yml's profile demo.
COPY scripts/echo-trunk.ts ./scripts/
COPY scripts/trunk ./scripts/trunk
COPY deploy/docker/make-secrets.sh deploy/docker/entrypoint.sh ./deploy/
RUN chmod 755 src/cli/main.ts deploy/*.sh \
 && chmod -R u=rwX,go=rX /out

FROM ${BASE}
LABEL org.opencontainers.image.title="postern" \
      org.opencontainers.image.description="SIP over WebSocket gateway in front of Kamailio" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /out/ /
# A volume that is mounted on one of these folders for the first time takes over its owner and mode.
RUN groupadd --gid 10001 postern \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin postern \
 && install -d -o 10001 -g 10001 -m 0750 /run/secrets/chain /run/secrets/customers \
 && install -d /etc/postern
# Threads: half of them look names up, three of which may wait for name servers that do not answer, so that one is left.
# V8 stops more often for what is short-lived, but for less long, and a flood takes two thirds of the memory. One thread
# collects garbage beside the event loop, not four: on few cores they would keep it from its own.
ENV NODE_ENV=production UV_THREADPOOL_SIZE=8 NODE_OPTIONS="--max-semi-space-size=4 --v8-pool-size=1"
USER 10001:10001
WORKDIR /etc/postern
EXPOSE 8088
STOPSIGNAL SIGTERM
# Whether it runs, not whether Kamailio does: what is restarted for another's fault loses its calls.
HEALTHCHECK --interval=15s --timeout=6s --start-period=10s --retries=3 CMD ["postern", "health", "--live"]
ENTRYPOINT ["/usr/lib/postern/deploy/entrypoint.sh"]
CMD ["serve", "-c", "/etc/postern/postern.yaml"]
