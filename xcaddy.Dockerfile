# Caddy with Gatehouse, built from this repository:
#
#	docker build -f xcaddy.Dockerfile -t gatehouse .
#	docker run -p 80:80 -p 443:443 -v ./Caddyfile:/etc/caddy/Caddyfile -v gatehouse:/data gatehouse
FROM caddy:2.11.9-builder AS builder
COPY . /src
# The tags leave out the storage backends of Caddy's own certificate authority.
ENV XCADDY_GO_BUILD_FLAGS="-trimpath -ldflags='-w -s' -tags=nobadger,nomysql,nopgx"
RUN xcaddy build v2.11.9 --with github.com/gatehouse-auth/gatehouse=/src --output /usr/bin/caddy

FROM caddy:2.11.9
COPY --from=builder /usr/bin/caddy /usr/bin/caddy
# /data keeps certificates, and sessions where no other store is configured.
VOLUME /data
# The admin API is only reachable inside the container.
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s \
	CMD wget -q -O /dev/null http://127.0.0.1:2019/config/apps/gatehouse || exit 1
