# Debian's Prometheus under the paths of prom/prometheus, for machines that reach Debian and not its registry:
# docker build -f docker/prometheus/debian.Dockerfile -t prom/prometheus:v3.13.2 docker/prometheus
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install --yes --no-install-recommends prometheus wget \
  && install --directory --owner nobody --group nogroup /prometheus
USER nobody
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]
