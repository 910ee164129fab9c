# A worker's image: your agent and its tools, git, and Leviathan's binary.
#
#   make images
#   docker load -i bin/images/leviathan-worker.tar        # the binary alone
#   docker build -f deploy/worker.Dockerfile -t leviathan-worker:local deploy
#
# The result takes the place of what was loaded; `make images` and `docker load`
# bring the next release. Without Docker's own store, BuildKit takes the binary
# from the OCI layout:
#
#   docker buildx build --build-context leviathan-worker:local=oci-layout://$PWD/bin/images/leviathan-worker:local …
#
# For a cluster that is not on this machine, push the result and write its name
# and digest to worker_image of the autonomy config.
ARG LEVIATHAN=leviathan-worker:local
# Pin yours by its digest: what is in it is what your agent runs with.
ARG BASE=debian:12-slim

FROM ${LEVIATHAN} AS leviathan

FROM ${BASE}
# The worker runs the git binary; certificates are for an agent that calls an
# API. Your agent, and what the verifications of the autonomy config run, go here.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates git \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 65532 leviathan \
 && useradd --uid 65532 --gid 65532 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin leviathan
COPY --from=leviathan /usr/local/bin/leviathan /usr/local/bin/leviathan
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/leviathan"]
