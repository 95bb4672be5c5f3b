# The service, for NVIDIA GPUs and for CPUs; a smaller one for CPUs alone with --build-arg TORCH_INDEX=…
# From the repository's root: docker build -f docker/service.Dockerfile -t dvpt-service .
# These lines are the same in both files, so that the images share their largest layer.
FROM python:3.11-slim-bookworm AS torch
ARG TORCH_INDEX=""
WORKDIR /opt/dvpt
COPY docker/install_lock.py docker/torch.lock ./
RUN python install_lock.py torch.lock --torch-index "$TORCH_INDEX"

FROM torch AS dependencies
COPY docker/service.lock ./
RUN python install_lock.py service.lock --after torch.lock

# The distribution holds training as well, which serving does not need.
FROM dependencies AS project
WORKDIR /source
COPY LICENSE README.md pyproject.toml ./
COPY adapters adapters
COPY service service
COPY training training
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-warn-script-location --prefix /project . \
  && rm -r /project/lib/python3*/site-packages/training /project/bin/dvpt-train /project/bin/dvpt-reproduce \
    /project/bin/dvpt-classify

FROM dependencies
COPY --from=project /project /usr/local
# The directories belong to the user, so that fresh volumes mounted there do too.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /cache --shell /usr/sbin/nologin dvpt \
  && install --directory --owner dvpt --group dvpt /cache /store
WORKDIR /
ENV PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    DVPT_STORE=/store \
    DVPT_HOST=0.0.0.0 \
    DVPT_PORT=8000
USER 10001:10001
EXPOSE 8000
# Past any proxy: Docker's client can give containers HTTP_PROXY, which knows nothing of their loopback.
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(f\"http://127.0.0.1:{os.environ.get('DVPT_PORT') or 8000}/readyz\", timeout=4)"]
ENTRYPOINT ["dvpt-serve"]
