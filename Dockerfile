# The image holds one static binary, the certificates of public authorities and an empty /data, and runs as nobody
# in particular. `make image-check` holds this file without Docker: it runs the build command below as it stands
# and starts the result in a chroot made from the final stage.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
ARG OUT=/out
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o "${OUT}/jobmanager" .
RUN mkdir -p "${OUT}/data"

FROM scratch
LABEL org.opencontainers.image.title="Job Manager" org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/jobmanager /jobmanager
COPY --from=build --chown=65532:65532 /out/data /data
ENV LISTEN_HOST=0.0.0.0 SERVER_PORT=8082 DATA_DIR=/data
# SQLite's temporary files go to the working directory, because there is no /tmp.
WORKDIR /data
VOLUME /data
EXPOSE 8082
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 CMD ["/jobmanager", "health"]
ENTRYPOINT ["/jobmanager"]
