# Training, for NVIDIA GPUs and for CPUs; a smaller one for CPUs alone with --build-arg TORCH_INDEX=…
# From the repository's root: docker build -f docker/training.Dockerfile -t dvpt-training .
# These lines are the same in both files, so that the images share their largest layer.
FROM python:3.11-slim-bookworm AS torch
ARG TORCH_INDEX=""
WORKDIR /opt/dvpt
COPY docker/install_lock.py docker/torch.lock ./
RUN python install_lock.py torch.lock --torch-index "$TORCH_INDEX"

FROM torch AS dependencies
COPY docker/training.lock ./
RUN python install_lock.py training.lock --after torch.lock

# The distribution holds the service as well, which training does not need.
FROM dependencies AS project
WORKDIR /source
COPY LICENSE README.md pyproject.toml ./
COPY adapters adapters
COPY service service
COPY training training
RUN pip install --no-cache-dir --no-deps --no-build-isolation --no-warn-script-location --prefix /project . \
  && rm -r /project/lib/python3*/site-packages/service /project/bin/dvpt-serve /project/bin/dvpt-keys \
    /project/bin/dvpt-classify

FROM dependencies
COPY --from=project /project /usr/local
# The same user as the service's: what one publishes the other can read, label and delete.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /cache --shell /usr/sbin/nologin dvpt \
  && install --directory --owner dvpt --group dvpt /cache /data /store
WORKDIR /cache
ENV PYTHONUNBUFFERED=1 \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    DVPT_DATA_ROOT=/data
USER 10001:10001
ENTRYPOINT ["dvpt-train"]
CMD ["--help"]
