# Consumers, API and page of Synapse Stream: `docker run … consumers all`, `docker run … consumers.api --host 0.0.0.0`.
FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements.lock pyproject.toml README.md LICENSE ./
COPY synapse_stream synapse_stream
COPY consumers consumers
# In the lock's versions, but of its packages only those that run: the lock has the tools of the tests, too.
RUN sed -n 's/^\([a-z0-9].*\) \\$/\1/p' requirements.lock > versions.txt \
    && python -m venv /app \
    && PIP_CONSTRAINT=versions.txt /app/bin/pip install --no-cache-dir '.[api,postgres]'

FROM python:3.13-slim
COPY --from=build /app /app
ENV PATH=/app/bin:$PATH
USER nobody
EXPOSE 8420
ENTRYPOINT ["python", "-m"]
CMD ["consumers", "all"]
