# syntax=docker/dockerfile:1
# One image for every service; its settings come from the environment. Built from the repository's root.
FROM python:3.12-slim AS packages
COPY requirements/app.txt requirements/app.txt
RUN python -m venv /venv && /venv/bin/pip install --no-cache-dir --no-compile --no-deps --require-hashes -r requirements/app.txt

FROM python:3.12-slim
RUN useradd --system --no-create-home --uid 10001 app
COPY --from=packages /venv /venv
WORKDIR /srv
COPY app/ app/
# Byte code is written once, here: an instance starts from it. Log lines leave as they are written.
RUN /venv/bin/python -m compileall -q /venv app
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001
# Exec form: SIGTERM reaches Python, so that the last spans are sent.
CMD ["python", "-m", "app"]
