# A small image: the executable and the few libraries that it needs; no shell, no packages, no root. After npm run build:
#   docker build -t pushbox .
#   docker run -d --name pushbox -p 10001:10001 -v pushbox:/home/nonroot --ulimit nofile=1000000 pushbox
# For arm64: npm run build -- --target linux-arm64, and --platform linux/arm64 --build-arg PUSHBOX=dist/pushbox-linux-arm64.
# Settings are variables (-e PUSHBOX_LOG_LEVEL=warn). The API stays inside until it has keys: -p 11001:11001
# -e PUSHBOX_API_HOST=0.0.0.0 -e PUSHBOX_API_KEYS_FILE=/run/secrets/keys. With --read-only add --tmpfs /tmp:exec.
FROM gcr.io/distroless/cc-debian12:nonroot
ARG PUSHBOX=dist/pushbox
COPY --chmod=0755 ${PUSHBOX} /usr/bin/pushbox
USER 65532:65532
WORKDIR /home/nonroot
ENV PUSHBOX_DATA=/home/nonroot/pushbox-data
VOLUME /home/nonroot
EXPOSE 10001 11001
HEALTHCHECK --interval=30s --timeout=6s --start-period=60s CMD ["/usr/bin/pushbox", "healthcheck"]
ENTRYPOINT ["/usr/bin/pushbox"]
CMD ["serve"]
