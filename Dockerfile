# The server in an image of its own: `docker build -t octopoid .`
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p octopoid

FROM debian:bookworm-slim
# The certificates that `sslmode=verify-full` trusts.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --create-home --home-dir /var/lib/octopoid octopoid
COPY --from=build /src/target/release/octopoid /usr/local/bin/
USER octopoid
WORKDIR /var/lib/octopoid
VOLUME /var/lib/octopoid
EXPOSE 8787
ENV OCTOPOID_LISTEN=0.0.0.0:8787 OCTOPOID_AUTH=required
ENTRYPOINT ["octopoid"]
CMD ["serve"]
