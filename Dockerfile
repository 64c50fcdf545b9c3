# One image for every service; its settings come from the environment. Built with this directory as context, here and in services/*.
# The base is named by its tag and nothing else of the build is: a digest would be better still, and Dependabot keeps it
# current once it is there (docs/deployment.md, "The image").
FROM python:3.12-slim AS packages
WORKDIR /build
COPY requirements/build.txt requirements/app.txt requirements/
RUN pip install --no-cache-dir --no-deps --require-hashes -r requirements/build.txt
# Byte code is written once, here and below: an instance starts from it.
RUN uv venv --no-python-downloads /venv && \
    uv pip install --python /venv --no-cache --no-deps --require-hashes --compile-bytecode -r requirements/app.txt

FROM python:3.12-slim
RUN useradd --system --no-create-home --uid 10001 app
COPY --from=packages /venv /venv
WORKDIR /srv
COPY app/ app/
# Whatever the modes of the checkout, the user below can read it.
RUN chmod -R a+rX app && python -m compileall -q app
# Log lines leave as they are written; the disk may be read-only.
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
# Exec form: SIGTERM reaches Python, so that the last spans are sent.
CMD ["python", "-m", "app"]
