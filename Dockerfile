# Consumers, API and page of Synapse Stream: `docker run … consumers all`, `docker run … consumers.api --host 0.0.0.0`.
FROM python:3.13-slim@sha256:6771159cd4fa5d9bba1258caf0b82e6b73458c694d178ad97c5e925c2d0e1a91 AS build
WORKDIR /build
# What runs, in the lock's versions and with its hashes; then what builds our own wheel, from the lock as well.
COPY requirements.image.lock requirements.lock ./
RUN python -m venv /app && /app/bin/pip install --no-cache-dir --require-hashes -r requirements.image.lock
RUN awk '/^[^ ]/ { wanted = /^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/ } wanted' requirements.lock > build.lock \
    && python -m pip install --no-cache-dir --require-hashes -r build.lock
COPY pyproject.toml README.md LICENSE ./
COPY synapse_stream synapse_stream
COPY consumers consumers
RUN python -m hatchling build -t wheel -d wheel && /app/bin/pip install --no-cache-dir --no-deps wheel/*.whl

FROM python:3.13-slim@sha256:6771159cd4fa5d9bba1258caf0b82e6b73458c694d178ad97c5e925c2d0e1a91
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH PYTHONDONTWRITEBYTECODE=1
USER nobody
EXPOSE 8420
ENTRYPOINT ["python", "-m"]
CMD ["consumers", "all"]
