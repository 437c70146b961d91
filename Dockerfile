# The server in an image with nothing else in it: `docker build -t octopoid .`
FROM rust:1-bookworm AS build
WORKDIR /src
COPY . .
# Linked statically, as in the packages that `cargo xtask dist` builds.
RUN RUSTFLAGS="-C target-feature=+crt-static" \
    cargo build --release --locked -p octopoid --bin octopoid --target "$(rustc --print host-tuple)" \
 && cp target/*/release/octopoid /octopoid \
 && mkdir /empty

FROM scratch
# The certificates that `sslmode=verify-full` trusts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /octopoid /usr/local/bin/octopoid
COPY --from=build --chown=65532:65532 /empty /tmp
COPY --from=build --chown=65532:65532 /empty /var/lib/octopoid
USER 65532:65532
WORKDIR /var/lib/octopoid
VOLUME /var/lib/octopoid
EXPOSE 8787
ENV HOME=/var/lib/octopoid OCTOPOID_LISTEN=0.0.0.0:8787 OCTOPOID_AUTH=required
# It asks http://127.0.0.1:8787. Set OCTOPOID_SERVER if the server listens on another port.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/local/bin/octopoid", "health"]
ENTRYPOINT ["/usr/local/bin/octopoid"]
CMD ["serve"]
