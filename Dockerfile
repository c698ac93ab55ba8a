# Consumers (and, in time, API) of Synapse Stream. The versions are the lock's.
FROM python:3.13-slim
WORKDIR /app
COPY requirements.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY synapse_stream synapse_stream
COPY consumers consumers
RUN pip install --no-cache-dir --no-deps --no-build-isolation .
USER nobody
ENTRYPOINT ["python", "-m"]
CMD ["consumers", "all"]
