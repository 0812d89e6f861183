# The command line, to migrate a database in a volume:
#   docker build -t waiaas-migrate .
#   docker run --rm -v app-data:/data -v "$PWD":/project:ro waiaas-migrate apply /data/app.db
FROM python:3.13-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE schema.yaml waiaas-migrate.schema.json ./
COPY migrations/ migrations/
COPY templates/ templates/
COPY waiaas_migrate/ waiaas_migrate/
RUN pip wheel --no-cache-dir --wheel-dir /wheels '.[typescript]'

FROM python:3.13-slim
COPY --from=build /wheels /wheels
RUN pip install --no-cache-dir --no-index --find-links=/wheels 'waiaas-migrate[typescript]' \
    && rm -r /wheels \
    && useradd --uid 10001 app \
    && install --directory --owner=app /data
USER 10001
# A project that is mounted read-only belongs to another user.
ENV WAIAAS_MIGRATE_TRUSTED=/project/pyproject.toml
WORKDIR /project
VOLUME /data
ENTRYPOINT ["waiaas-migrate"]
CMD ["--help"]
