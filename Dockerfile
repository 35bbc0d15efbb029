# The server, without torch: `docker build -t macrid .`, then mount a store of bundles at /store.

FROM python:3.12-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN python -m venv /opt/macrid \
    && /opt/macrid/bin/pip install --no-cache-dir --disable-pip-version-check --constraint constraints.txt .

FROM python:3.12-slim-bookworm
LABEL org.opencontainers.image.title="macrid" \
      org.opencontainers.image.description="Recommendations that the person who receives them can see into and steer" \
      org.opencontainers.image.licenses="MIT"
RUN groupadd --gid 10001 macrid && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin macrid
COPY --from=build /opt/macrid /opt/macrid
ENV PATH=/opt/macrid/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    MACRID_STORE=/store \
    MACRID_HOST=0.0.0.0 \
    OMP_NUM_THREADS=1 \
    PYTHONMALLOC=malloc \
    MALLOC_ARENA_MAX=1 \
    MACRID_PORT=8000
VOLUME /store
EXPOSE 8000
# By number: Kubernetes' runAsNonRoot cannot tell who a name is.
USER 10001:10001
HEALTHCHECK --interval=10s --timeout=3s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen(f'http://127.0.0.1:{os.environ[\"MACRID_PORT\"]}/healthz', timeout=2)"]
CMD ["macrid", "serve"]
